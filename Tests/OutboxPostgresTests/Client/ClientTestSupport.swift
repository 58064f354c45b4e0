import Foundation
import Logging
import OutboxTestServers
import Synchronization
import TestSupport

@testable import OutboxPostgres

func connect(_ logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }) async throws -> LibPQConnection
{
    try await LibPQConnection.connect(testPostgres(), logger: logger)
}

/// The error that `body` throws, `nil` if it throws none.
func thrown<R>(_ body: () async throws -> R) async -> (any Error)? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error
    }
}

func postgresError<R>(_ body: () async throws -> R) async -> LibPQError? {
    await thrown(body) as? LibPQError
}

extension LibPQConnection {
    func value<Value: LibPQDecodable>(_ statement: LibPQStatement, as: Value.Type = Value.self) async throws -> Value {
        try await query(statement)[0].decode(0)
    }

    func value<Element: LibPQArrayElement>(
        _ statement: LibPQStatement, as: [Element].Type = [Element].self
    ) async throws -> [Element] {
        try await query(statement)[0].decode(0)
    }

    /// Ends the session of another connection and returns once it has ended.
    func terminate(_ victim: LibPQConnection) async throws {
        _ = try await query("SELECT pg_terminate_backend(\(victim.processID), 60000)")
    }

    /// Returns once a session is running a statement that contains `text`.
    func waitUntilRunning(_ processID: Int32, _ text: String) async throws {
        try await waitUntil(
            """
            SELECT EXISTS (SELECT FROM pg_stat_activity
            WHERE pid = \(processID) AND state = 'active' AND strpos(query, \(text)) > 0)
            """)
    }

    /// Asks again and again until the statement returns true; the time limit of the test bounds it.
    func waitUntil(_ statement: LibPQStatement) async throws {
        while try await value(statement) == false { await Task.yield() }
    }
}

struct TestError: Error, Equatable {
    var number = 0
}

/// How many descriptors the process has open.
func openDescriptors() throws -> Int {
    #if os(Linux)
    try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
    #else
    try FileManager.default.contentsOfDirectory(atPath: "/dev/fd").count
    #endif
}

/// The client's part of an error, the first if a transaction has several.
func clientError(_ error: (any Error)?) -> LibPQError? {
    guard let error = error as? LibPQTransactionError else { return error as? LibPQError }
    return error.beginError ?? clientError(error.bodyError) ?? error.commitError ?? error.rollbackError
}

/// The socket of the server that the tests share.
func serverSocket() async throws -> String {
    let parameters = try await testPostgres().resolved()
    return "\(parameters["host"] ?? "")/.s.PGSQL.\(parameters["port"] ?? "5432")"
}

/// The server that the tests share, through a proxy.
func configuration(through proxy: FreezingProxy, limit: Duration) async throws -> LibPQConfiguration {
    var configuration = try await testPostgres()
    configuration.parameters["host"] = "127.0.0.1"
    configuration.parameters["port"] = "\(proxy.port)"
    configuration.parameters["sslmode"] = "disable"
    configuration.parameters["gssencmode"] = "disable"
    configuration.answerTimeout = limit
    return configuration
}

/// A server that one test needs for itself. It stops when it is given up.
func serverOfItsOwn(_ parameters: [String: String]) async throws -> EphemeralPostgres {
    try await EphemeralPostgres.start(.init(parameters: parameters))
}

/// Lets callers pass when all have come.
actor Meeting {
    private var missing: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ count: Int) {
        missing = count
    }

    func pass() async {
        missing -= 1
        if missing > 0 {
            await withCheckedContinuation { waiting.append($0) }
        } else {
            for continuation in waiting { continuation.resume() }
        }
    }
}
