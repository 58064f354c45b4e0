internal import CLibPQ

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The words by which the server says what a statement was.
enum CommandTag: Equatable {
    /// Reads or changes rows, or begins or ends transactions, and leaves the session as it was.
    case data
    case copy
    case rollback
    /// Anything else: it may have changed a setting, the role, what the session listens to, or what is temporary in it.
    case other

    var changesSession: Bool { self == .other }

    private static let dataWords: Set = [
        "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "BEGIN", "START", "COMMIT", "SAVEPOINT", "RELEASE", "FETCH",
        "MOVE",
        "NOTIFY", "UNLISTEN", "LOCK", "SHOW", "EXPLAIN", "TRUNCATE", "VACUUM", "ANALYZE", "",
    ]

    init(_ text: String) {
        let word = text.split(separator: " ", maxSplits: 1).first.map(String.init) ?? ""
        switch word {
        case "ROLLBACK": self = .rollback
        case "COPY": self = .copy
        default: self = Self.dataWords.contains(word) || text == "PREPARE TRANSACTION" ? .data : .other
        }
    }
}

extension ResultHandle {
    var commandTag: CommandTag {
        guard let pointer = unsafe PQcmdStatus(unsafe pointer) else { return .data }
        // Most results are of these, and need no text made of their tags.
        for word in ["SELECT", "INSERT", "UPDATE", "DELETE", "BEGIN", "COMMIT"] as [StaticString]
        where unsafe strncmp(
            pointer, UnsafeRawPointer(word.utf8Start).assumingMemoryBound(to: CChar.self), word.utf8CodeUnitCount) == 0
        {
            return .data
        }
        return CommandTag(unsafe String(cString: pointer))
    }
}

extension String {
    /// Whether the statement is a `COMMIT`, `END` or `PREPARE TRANSACTION`, none of which answers with `ROLLBACK` unless the transaction had failed.
    var isCommit: Bool {
        let words = firstWords
        return words.first == "COMMIT" || words.first == "END" || words == ["PREPARE", "TRANSACTION"]
    }

    /// Whether what the statement sets ends with the transaction.
    var changesTransactionOnly: Bool {
        let words = firstWords
        return words.first == "SET" && ["LOCAL", "TRANSACTION", "CONSTRAINTS"].contains(words.last)
    }

    /// The first two words, in capitals.
    private var firstWords: [String] {
        utf8.prefix(64)
            .split(maxSplits: 2, omittingEmptySubsequences: true) {
                $0 == 32 || (9...13).contains($0) || $0 == UInt8(ascii: ";")
            }
            .prefix(2)
            .map { String(decoding: $0, as: UTF8.self).uppercased() }
    }
}
