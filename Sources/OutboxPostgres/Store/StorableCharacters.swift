/// Which characters a database can store. What a handler says of its failure can have any, and must not keep a commit from
/// succeeding.
enum StorableCharacters: Sendable, Hashable {
    case all
    case latin1
    case ascii

    /// - Parameter encoding: The server's `server_encoding`.
    init(encoding: String?) {
        switch encoding {
        // The server checks nothing in SQL_ASCII.
        case "UTF8", "SQL_ASCII", nil: self = .all
        case "LATIN1": self = .latin1
        // Most of the others have more, each something else.
        default: self = .ascii
        }
    }

    /// The text, in which what cannot be stored is written as `\\u{2019}`.
    func storable(_ text: String) -> String {
        let limit: UInt32
        switch self {
        case .all: return text
        case .latin1: limit = 0xFF
        case .ascii: limit = 0x7F
        }
        if text.unicodeScalars.allSatisfy({ $0.value <= limit }) { return text }
        return text.unicodeScalars.reduce(into: "") { result, scalar in
            if scalar.value <= limit {
                result.unicodeScalars.append(scalar)
            } else {
                result += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
            }
        }
    }
}
