extension LibPQError: CustomStringConvertible, CustomDebugStringConvertible {
    /// What happened and, where it is known, what to do. Free of values and credentials: of the server's words, only those are
    /// repeated that name things (tables, constraints, users).
    public var description: String {
        var parts = [storage.message]
        if let state = sqlState {
            if let explanation = SQLState.explanation(state) { parts.append(explanation) }
            if let message = storage.server?.message, !message.isEmpty, code == .connect || SQLState.hasHarmlessMessage(state) {
                parts.append("the server says “\(message)”")
            }
        }
        var text = parts.filter { !$0.isEmpty }.joined(separator: ": ")
        if let state = sqlState { text += " (SQLSTATE \(state))" }
        if let statementIndex { text += " [statement \(statementIndex) of the pipeline]" }
        return text
    }

    /// All that is known, the server's words included, which may quote data.
    public var debugDescription: String {
        var text = "LibPQError(\(code)): \(description)"
        if let server = storage.server {
            if let severity = server.severity { text += "\n  severity: \(severity)" }
            if !server.message.isEmpty { text += "\n  message: \(server.message)" }
            if let hint = server.hint { text += "\n  hint: \(hint)" }
            let names = [
                ("schema", schema), ("table", table), ("column", column), ("constraint", constraint),
                ("position", position.map(String.init)),
            ]
            for case (let label, let name?) in names {
                text += "\n  \(label): \(name)"
            }
        }
        if let underlying { text += "\n  underlying: \(String(reflecting: underlying))" }
        return text + "\n  at \(file):\(line)"
    }
}
