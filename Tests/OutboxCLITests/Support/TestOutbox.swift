import Foundation
import Logging
import OutboxPostgres
import OutboxTestServers
import Synchronization
import Testing

/// An outbox of the running test: a schema of its own, on the server that all tests of this process share.
struct TestOutbox: Sendable {
    let schema: String
    let url: String

    /// A schema of that name that exists no more than its name.
    static func named() async throws -> TestOutbox {
        let number = Self.count.add(1, ordering: .relaxed).newValue
        return TestOutbox(schema: "cli_\(getpid())_\(number)", url: try await Self.server.value)
    }

    /// A schema that has been migrated.
    static func migrated() async throws -> TestOutbox {
        let outbox = try await self.named()
        try await outbox("migrate", "up")
        return outbox
    }

    private static let count = Atomic(0)

    /// The address of a server: one that is there, or else one of this process's own.
    private static let server = Task {
        if let url = ProcessInfo.processInfo.environment["OUTBOX_TEST_POSTGRES"] { return url }
        let server = try await EphemeralPostgres.start(.init(parameters: ["max_connections": "200"]))
        Self.kept.withLock { $0 = server }
        return server.url
    }

    /// The server stops when the last reference to it is gone.
    private static let kept = Mutex<EphemeralPostgres?>(nil)

    /// Runs the program on this outbox.
    @discardableResult
    func callAsFunction(
        _ arguments: String..., input: String = "", status: Int32 = 0,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Program.Ending {
        try await self(arguments, input: input, status: status, sourceLocation: sourceLocation)
    }

    /// The same with arguments that are made elsewhere.
    @discardableResult
    func callAsFunction(
        _ arguments: [String], input: String = "", status: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Program.Ending {
        try await Program.outbox(
            arguments + ["--postgres", self.url, "--schema", self.schema], input: input, status: status,
            sourceLocation: sourceLocation)
    }

    /// Runs a shell script in which `$outbox` is the program, and `$on` its options for this outbox.
    func shell(_ script: String) async throws -> Program.Ending {
        try await Program.shell(
            "set -- --postgres \"$url\" --schema \"$schema\"\n" + script, ["url": self.url, "schema": self.schema])
    }

    /// Runs SQL, in which `{{schema}}` is the schema, and returns the first column.
    @discardableResult
    func sql(_ statement: String) async throws -> [String] {
        let connection = try await LibPQConnection.connect(LibPQConfiguration(self.url))
        let text = statement.replacingOccurrences(of: "{{schema}}", with: self.schema)
        let rows = try await connection.query(LibPQStatement(text, [])).map { row in
            try row.decode(0, as: String?.self) ?? "NULL"
        }
        await connection.close()
        return rows
    }

    /// Runs a script, in which `{{schema}}` is the schema, in a transaction.
    func script(_ text: String) async throws {
        let connection = try await LibPQConnection.connect(LibPQConfiguration(self.url))
        do {
            try await connection.execute(script: text.replacingOccurrences(of: "{{schema}}", with: self.schema))
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
    }

    /// How many rows a table of the outbox has.
    func count(_ table: String) async throws -> Int {
        Int(try await self.sql("SELECT count(*)::text FROM {{schema}}.\(table)")[0]) ?? -1
    }
}

/// A folder that is removed with the test.
func withTemporaryFolder<Result>(_ body: (String) async throws -> Result) async throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("outbox-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await body(folder.path)
}

/// Runs what takes long and waits for nothing on a thread of its own. On the pool it would keep all other tests from going
/// on: there are as many threads as processors, and none is taken away from what runs.
func offThePool<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Swift.Result(catching: body)) }
    }
}
