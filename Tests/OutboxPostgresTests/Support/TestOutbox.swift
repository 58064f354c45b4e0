import Foundation
import OutboxPostgres

/// An outbox in a schema of its own, with roles of its own, for one test.
struct TestOutbox: Sendable {
    let schema: OutboxSchema
    /// The owner's connection.
    let connection: Connection

    /// A further connection of the owner.
    func connect() async throws -> Connection {
        try await Connection.connect(testPostgres())
    }

    /// How a role connects.
    func configuration(of role: String) throws -> ConnectionConfiguration {
        var configuration = try testPostgres()
        configuration.parameters["user"] = role
        return configuration
    }

    /// The schema's name, quoted.
    var name: String { self.schema.identifier }

    /// The first column of the first row.
    func value<Value: SQLDecodable>(_ sql: String, as: Value.Type = Value.self) async throws -> Value {
        try await self.connection.query(SQLStatement(sql))[0].decode(0)
    }

    /// Creates a role that can log in, for as long as `body` runs.
    func withRole<Result>(_ body: (String) async throws -> Result) async throws -> Result {
        let role = "outbox role \(UUID().uuidString)"
        try await self.connection.execute(script: "CREATE ROLE \"\(role)\" LOGIN")
        let result: Swift.Result<Result, any Error>
        do { result = .success(try await body(role)) } catch { result = .failure(error) }
        // A connection that a test has let go of may still be ending.
        try await self.connection.execute(script: "DROP OWNED BY \"\(role)\" CASCADE; DROP ROLE \"\(role)\"")
        return try result.get()
    }
}

/// Runs a test with a schema of its own, which is removed afterwards.
///
/// - Parameters:
///   - prefix: What the schema's name begins with.
///   - migrated: Whether the outbox is there already.
func withTestOutbox<Result>(
    prefix: String = "test", migrated: Bool = true, _ body: (TestOutbox) async throws -> Result
) async throws -> Result {
    let schema = try OutboxSchema(name: "\(prefix) \(UUID().uuidString.prefix(13))")
    let connection = try await Connection.connect(testPostgres())
    if migrated { try await Migrator(schema: schema).up(on: connection) }
    let result: Swift.Result<Result, any Error>
    do {
        result = .success(try await body(TestOutbox(schema: schema, connection: connection)))
    } catch {
        result = .failure(error)
    }
    try await connection.execute(script: "DROP SCHEMA IF EXISTS \(schema.identifier) CASCADE")
    await connection.close()
    return try result.get()
}
