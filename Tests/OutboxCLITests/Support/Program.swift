import Foundation
import Subprocess
import Testing

#if canImport(System)
import System
#else
import SystemPackage
#endif

/// The program under test, as a child of this process.
enum Program {
    /// What came of a run.
    struct Ending: Sendable {
        let status: Int32
        let output: String
        let error: String

        /// The lines of stdout.
        var lines: [String] { self.output.utf8.split(separator: UInt8(ascii: "\n")).map { String(Substring($0)) } }

        /// Stdout as JSON.
        func json(sourceLocation: SourceLocation = #_sourceLocation) throws -> JSON {
            try JSON(self.output, sourceLocation: sourceLocation)
        }
    }

    /// Runs it to its end.
    ///
    /// - Parameter status: With what it has to end.
    @discardableResult
    static func outbox(
        _ arguments: String..., input: String = "", environment: [String: String] = [:],
        status: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Ending {
        try await self.outbox(
            arguments, input: input, environment: environment, status: status, sourceLocation: sourceLocation)
    }

    /// Runs it to its end; see the other.
    @discardableResult
    static func outbox(
        _ arguments: [String], input: String = "", environment: [String: String] = [:],
        status: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Ending {
        let result = try await run(
            .path(self.path), arguments: Arguments(arguments),
            environment: self.inherited(with: environment), input: .string(input),
            output: .bytes(limit: Self.limit), error: .bytes(limit: Self.limit))
        let ending = self.ending(result.terminationStatus, result.standardOutput, result.standardError)
        #expect(
            ending.status == status, "outbox \(arguments.joined(separator: " ")): \(ending.error)",
            sourceLocation: sourceLocation)
        return ending
    }

    /// Runs a shell script in which `$outbox` is the program.
    static func shell(_ script: String, _ environment: [String: String] = [:]) async throws -> Ending {
        var environment = environment
        environment["outbox"] = self.path.string
        let result = try await run(
            .path("/bin/sh"), arguments: ["-c", script],
            environment: self.inherited(with: environment), output: .bytes(limit: Self.limit),
            error: .bytes(limit: Self.limit))
        return self.ending(result.terminationStatus, result.standardOutput, result.standardError)
    }

    /// More than any test should print: a test that needs more pipes it through a shell.
    private static let limit = 8 << 20

    /// The bytes are decoded here and not where they are collected, which goes one by one, and takes a thread of the pool
    /// for seconds.
    private static func ending(_ status: TerminationStatus, _ output: [UInt8], _ error: [UInt8]) -> Ending {
        Ending(
            status: self.number(status), output: String(decoding: output, as: UTF8.self),
            error: String(decoding: error, as: UTF8.self))
    }

    private static func inherited(with variables: [String: String]) -> Subprocess.Environment {
        var values: [Subprocess.Environment.Key: String?] = [:]
        for (name, value) in variables { values[Subprocess.Environment.Key(stringLiteral: name)] = value }
        return .inherit.updating(values)
    }

    private static func number(_ status: TerminationStatus) -> Int32 {
        switch status {
        case .exited(let code): code
        case .signaled(let signal): 128 + signal
        }
    }

    /// The executable lies beside the bundle of the tests.
    static let path: FilePath = {
        let bundle = Bundle.allBundles.map(\.bundlePath).first { $0.hasSuffix(".xctest") }
        let folder = URL(fileURLWithPath: bundle ?? CommandLine.arguments[0]).deletingLastPathComponent()
        return FilePath(folder.appendingPathComponent("outbox").path)
    }()
}
