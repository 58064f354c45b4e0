import Foundation
import Outbox
import OutboxPostgres
import Testing

@testable import OutboxCLI

@Suite(.timeLimit(.minutes(10))) struct ExitStatusTests {
    /// A code that is added has to be put into the table.
    @Test func everyCodeHasAStatus() {
        for code in RelayError.Code.all { #expect(ExitStatus.ofRelay[code] != nil, "\(code)") }
        for code in OutboxError.Code.all { #expect(ExitStatus.ofOutbox[code] != nil, "\(code)") }
        for code in LibPQError.Code.all where code != .server { #expect(ExitStatus.ofClient[code] != nil, "\(code)") }
        #expect(RelayError.Code.all.count >= 20 && OutboxError.Code.all.count >= 10)
    }

    /// Someone who reads a code in a log finds its number in the documentation.
    @Test func theDocumentationHasTheTable() throws {
        let text = try String(
            contentsOf: URL(filePath: #filePath).appending(path: "../../../../docs/cli.md").standardizedFileURL,
            encoding: .utf8)
        let section = try #require(text.components(separatedBy: "\n## Exit codes\n").last)
        var documented: [Int32: Set<String>] = [:]
        for row in section.split(separator: "\n") where row.hasPrefix("| ") {
            let cells = row.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard let number = Int32(cells[0]) else { continue }
            let errors = cells.count > 2 ? cells[2].split(separator: ", ") : []
            documented[number] = Set(errors.map { $0.trimmingCharacters(in: ["`"]) })
        }
        var expected = Dictionary(uniqueKeysWithValues: ExitStatus.allCases.map { ($0.rawValue, Set<String>()) })
        for code in RelayError.Code.all { expected[ExitStatus(code).rawValue]?.insert("\(code)") }
        for code in OutboxError.Code.all { expected[ExitStatus(code).rawValue]?.insert("\(code)") }
        #expect(documented == expected)
        // One name has one number, whichever error has it.
        #expect(Set(expected.values.flatMap(\.self)).count == expected.values.map(\.count).reduce(0, +))
    }

    /// What nothing is known of is a failure.
    @Test func anUnknownErrorIsNotGuessedAt() {
        struct Unknown: Error {}
        #expect(CommandFailure(Unknown()).status == .failure)
        #expect(CommandFailure(RelayError(.unexpected, "x", underlying: Unknown())).status == .failure)
    }

    /// The status is the code's, whatever caused it.
    @Test func theCodeOfARelaysErrorDecides() {
        let cause = RelayError(.schemaTooOld, "y")
        #expect(CommandFailure(RelayError(.connection, "x", underlying: cause)).status == .unavailable)
        #expect(CommandFailure(RelayError(.schemaTooNew, "x")).status == .wrongSchema)
        #expect(CommandFailure(RelayError(.privilege, "x")).status == .noPermission)
    }

    /// What is advised can be given to a shell as it stands.
    @Test(arguments: [
        ("outbox", ""), ("shop_2.a-b", " --schema shop_2.a-b"), ("my shop", " --schema 'my shop'"),
        ("it's $HOME; \"x\"", #" --schema 'it'\''s $HOME; "x"'"#), ("büro", " --schema 'büro'"),
    ]) func aSchemasNameIsQuoted(name: String, option: String) throws {
        #expect(try OutboxSchema(name: name).option == option)
    }
}
