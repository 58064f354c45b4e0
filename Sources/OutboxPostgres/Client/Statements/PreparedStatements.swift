/// What is prepared on a connection, under which name. Decides; sends nothing.
struct PreparedStatements {
    enum Lookup: Equatable {
        case ready(serverName: String)
        /// To be prepared under this name. It counts as prepared from now on; if the server refuses, say so with
        /// ``invalidate(_:serverName:)``.
        case prepare(serverName: String)
        /// The name belongs to another text.
        case conflict
    }

    private struct Entry {
        let text: String
        /// A parameter that was `NULL` when a variant was prepared got its type from the server, so a value, whose type may be
        /// another, needs another variant.
        var variants: [Variant] = []
        var variantsEver = 0
    }

    private struct Variant {
        let types: [UInt32]
        let serverName: String

        func accepts(_ wanted: ArraySlice<UInt32>) -> Bool {
            wanted.count == types.count && zip(types, wanted).allSatisfy { $0 == $1 || $1 == 0 }
        }
    }

    private var entries: [String: Entry] = [:]

    /// Whether the name is that of this text.
    func isKnown(_ name: String, text: String) -> Bool { entries[name]?.text == text }

    /// Whether ``lookup(_:text:types:)`` would find the statement ready.
    func isReady(_ name: String, text: String, types: ArraySlice<UInt32>) -> Bool {
        guard let entry = entries[name], entry.text == text else { return false }
        return entry.variants.contains { $0.accepts(types) }
    }

    /// - Parameter types: of the values; 0 for `NULL`, which suits every type.
    mutating func lookup(_ name: String, text: String, types: ArraySlice<UInt32>) -> Lookup {
        if let entry = entries[name] {
            guard entry.text == text else { return .conflict }
            for variant in entry.variants where variant.accepts(types) {
                return .ready(serverName: variant.serverName)
            }
        }
        var entry = entries[name] ?? Entry(text: text)
        entry.variantsEver += 1
        let serverName = entry.variantsEver == 1 ? name : "\(name)/\(entry.variantsEver)"
        entry.variants.append(Variant(types: Array(types), serverName: serverName))
        entries[name] = entry
        return .prepare(serverName: serverName)
    }

    /// Forgets a statement that the server does not have, or whose plan has become invalid: its next use prepares it again, under
    /// a name of the server that was not used before.
    mutating func invalidate(_ name: String, serverName: String) {
        entries[name]?.variants.removeAll { $0.serverName == serverName }
    }
}
