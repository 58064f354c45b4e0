import ArgumentParser

/// A migration tool that a team may have, and for which `outbox schema` writes the schema's migrations.
enum MigrationTool: String, CaseIterable, ExpressibleByArgument {
    /// Any tool that runs a script in a transaction, `psql --single-transaction` for one.
    case sql
    case goose
    case flyway
    case dbmate
    case golangMigrate = "golang-migrate"
    case alembic

    /// Whether its files are in an order of numbers, with which their names begin.
    var hasNumbers: Bool { self != .sql && self != .alembic }

    /// How many digits a number has at least, as the tool itself writes them.
    var digits: Int {
        switch self {
        case .sql, .alembic, .flyway: 1
        case .goose, .dbmate: 5
        case .golangMigrate: 6
        }
    }

    /// Whether a text can be the number of a file.
    func isNumber(_ text: String) -> Bool {
        let parts = text.utf8.split(omittingEmptySubsequences: false) { byte in
            self == .flyway && (byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_"))
        }
        return parts.allSatisfy { part in
            // Tools read them as whole numbers of 64 bits.
            !part.isEmpty && part.count <= 18
                && part.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        }
    }

    /// The number with which the name of one of the tool's files begins; nil: it is no file of the tool's.
    func number(in name: String) -> Substring? {
        guard self.hasNumbers, name.hasSuffix(".sql") else { return nil }
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        var rest = name[...]
        if self == .flyway {
            guard rest.hasPrefix("V") else { return nil }
            rest = rest.dropFirst()
        }
        let number = rest.prefix { character in character.utf8.allSatisfy { digits.contains($0) } }
        return number.isEmpty ? nil : number
    }

    /// The number of one of the tool's files with all its parts, of which Flyway's can have several; nil: it is no file of the tool's.
    func fullNumber(in name: String) -> Substring? {
        guard let number = self.number(in: name), self == .flyway else { return self.number(in: name) }
        return name[number.startIndex...].firstRange(of: "__").map { name[number.startIndex..<$0.lowerBound] } ?? number
    }

    /// The parts of a number, alike for all ways in which it can be written: `007` is 7, and Flyway's `1.0` and `1_0` are 1.
    func parts(of number: some StringProtocol) -> [String] {
        var parts = number.split(omittingEmptySubsequences: false) { $0 == "." || $0 == "_" }
            .map { part in String(part.drop { $0 == "0" }) }
        while parts.count > 1, parts.last == "" { parts.removeLast() }
        return parts
    }
}
