import Foundation
import Subprocess
import Testing

@testable import OutboxBench

#if canImport(System)
import System
#else
import SystemPackage
#endif

/// `outbox-bench`, as a child of this process.
enum Program {
    /// What came of a run.
    struct Ending: Sendable {
        let output: String
        let error: String

        /// The document on stdout.
        func document() throws -> Document { try Document(parsing: self.output) }
    }

    /// Runs it to its end.
    ///
    /// - Parameter status: With what it has to end.
    @discardableResult
    static func bench(
        _ command: String, _ arguments: String..., status: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Ending {
        let arguments = command.split(separator: " ").map(String.init) + arguments
        let result = try await run(
            .path(self.path), arguments: Arguments(arguments), output: .bytes(limit: 1 << 20),
            error: .bytes(limit: 1 << 20))
        let ending = Ending(
            output: String(decoding: result.standardOutput, as: UTF8.self),
            error: String(decoding: result.standardError, as: UTF8.self))
        #expect(
            result.terminationStatus == .exited(status), "outbox-bench \(command): \(ending.error)",
            sourceLocation: sourceLocation)
        return ending
    }

    /// The executable lies beside the bundle of the tests.
    private static let path: FilePath = {
        let bundle = Bundle.allBundles.map(\.bundlePath).first { $0.hasSuffix(".xctest") }
        let folder = URL(fileURLWithPath: bundle ?? CommandLine.arguments[0]).deletingLastPathComponent()
        return FilePath(folder.appendingPathComponent("outbox-bench").path)
    }()
}

extension Decodable {
    /// Reads what ``Document/line(_:)`` has written.
    init(parsing text: some StringProtocol) throws {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        decoder.dateDecodingStrategy = .iso8601
        self = try decoder.decode(Self.self, from: Data(text.utf8))
    }
}

/// A folder that is removed with the test.
func withTemporaryFolder<Result>(_ body: (String) async throws -> Result) async throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("outbox-bench-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await body(folder.path)
}
