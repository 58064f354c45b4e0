import Outbox

/// The columns of a message, and the lists of them that statements have.
struct MessageColumns: Sendable {
    let all: [MessageColumn]
    /// Those that a producer sets.
    let sent: [MessageColumn]
    /// Those that stay with a message while it is deferred or dead.
    let kept: [MessageColumn]
    /// Those that a page has, in their order there.
    let read: [MessageColumn]
    /// Those that the schema checks, in the order of its functions' parameters.
    let checked: [MessageColumn]

    init(_ columns: [MessageColumn]) {
        self.all = columns
        self.sent = columns.filter { $0.value != nil }
        self.kept = columns.filter(\.isKept)
        self.checked = columns.filter(\.isChecked)
        self.read = columns.filter { $0.position != nil }.sorted { $0.position! < $1.position! }
        precondition(
            self.read.map(\.position) == self.read.indices.map { PostgresPage.Column.firstRead + $0 },
            "a page has its columns one after the other")
    }

    /// What stands in a statement for `{{message.…}}`, by what is there for the dots: one of the lists above by its name; after
    /// it what is made of each column, if that is not its name; then what there is to add.
    ///
    /// | | for the column key |
    /// |---|---|
    /// | `sent` | `key` |
    /// | `read of page` | `page.key` |
    /// | `kept except payload` | nothing for that one column |
    /// | `read.nulls` | `NULL::pg_catalog.text AS key` |
    /// | `sent.parameters` | `$3`, counted from 1 |
    /// | `sent.arrays` | `pg_catalog.unnest($3::pg_catalog.text[])` |
    /// | `sent.arrays from $3` | the same, counted from 3 |
    /// | `sent.arguments from $3` | `key => $5::pg_catalog.text` |
    /// | `sent.arguments of row` | `key => row.key` |
    func list(_ placeholder: Substring) -> String {
        let words = placeholder.split(separator: " ")
        let names = words[0].split(separator: ".")
        var columns: [MessageColumn]
        switch names[0] {
        case "sent": columns = self.sent
        case "kept": columns = self.kept
        case "read": columns = self.read
        case "checked": columns = self.checked
        default: preconditionFailure("{{message.\(placeholder)}}: no such list")
        }
        var prefix = ""
        var first: Int?
        for index in stride(from: 1, to: words.count, by: 2) {
            let argument = words[index + 1]
            switch words[index] {
            case "except": columns.removeAll { $0.name == argument }
            case "of": prefix = argument + "."
            case "from": first = Int(argument.dropFirst())
            default: preconditionFailure("{{message.\(placeholder)}}: no such word")
            }
        }
        let start = first ?? 1
        return columns.enumerated().map { index, column in
            let parameter = "$\(start + index)"
            let type = "pg_catalog.\(column.type.name)"
            switch names.dropFirst().first {
            case nil: return prefix + column.name
            case "nulls": return "NULL::\(type) AS \(column.name)"
            case "parameters": return parameter
            case "arrays": return "pg_catalog.unnest(\(parameter)::\(type)[])"
            case "arguments":
                return "\(column.name) => " + (first == nil ? prefix + column.name : "\(parameter)::\(type)")
            default: preconditionFailure("{{message.\(placeholder)}}: no such form")
            }
        }.joined(separator: ", ")
    }

    // MARK: - Values

    /// What a producer sets of a message, as the parameters of a statement for one.
    func values(of message: NewMessage) -> [LibPQValue] {
        self.sent.map { column in column.value?(message) ?? .null }
    }

    /// What a producer sets of messages, as the parameters of a statement for several: an array a column.
    ///
    /// - Throws: What Postgres could not store of messages that have not been checked.
    func arrays(of messages: [NewMessage]) throws(InvalidMessage) -> [LibPQValue] {
        var arrays: [LibPQValue] = []
        for column in self.sent {
            var bytes: [UInt8] = []
            do throws(LibPQError) {
                try bytes.append(arrayOf: column.type.oid, messages.map { column.value?($0) ?? .null })
            } catch {
                throw InvalidMessage(field: column.name, reason: error.storage.message)
            }
            arrays.append(.binary(type: column.type.array, bytes))
        }
        return arrays
    }
}
