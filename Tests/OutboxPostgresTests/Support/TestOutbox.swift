import Foundation
import OutboxPostgres
import OutboxTestServers

/// An outbox in a schema of its own, with roles of its own, for one test.
struct TestOutbox: Sendable {
    let schema: OutboxSchema
    /// The owner's connection.
    let connection: LibPQConnection

    /// A further connection, of the owner or of a role.
    func connect(as role: String? = nil) async throws -> LibPQConnection {
        try await LibPQConnection.connect(self.configuration(of: role))
    }

    /// How the owner or a role connects.
    func configuration(of role: String? = nil) async throws -> LibPQConfiguration {
        var configuration = try await LibPQConfiguration(TestServer.shared.url)
        if let role { configuration.parameters["user"] = role }
        return configuration
    }

    /// The schema's name, quoted.
    var name: String { self.schema.identifier }

    /// The numbers, destinations and so on of the messages that are there, by number.
    func messages() async throws -> [StoredMessage] {
        try await self.connection.query(
            """
            SELECT id, destination, route, key, headers::text, options::text, deliver_at, payload
            FROM \(unescaped: self.name).message ORDER BY id
            """
        ).map { row in
            StoredMessage(
                id: try row.decode(0), destination: try row.decode(1), route: try row.decode(2), key: try row.decode(3),
                headers: try row.decode(4), options: try row.decode(5), deliverAt: try row.decode(6),
                payload: try row.decode(7))
        }
    }

    /// The first column of the first row.
    func value<Value: LibPQDecodable>(_ sql: String, as: Value.Type = Value.self) async throws -> Value {
        try await self.connection.query(LibPQStatement(sql))[0].decode(0)
    }

    func value<Element: LibPQArrayElement>(
        _ sql: String, as: [Element].Type = [Element].self
    ) async throws -> [Element] {
        try await self.connection.query(LibPQStatement(sql))[0].decode(0)
    }

    /// Creates a role that can log in, for as long as `body` runs.
    func withRole<Result>(_ body: (String) async throws -> Result) async throws -> Result {
        let role = "outbox role \(UUID().uuidString)"
        try await self.connection.execute(script: "CREATE ROLE \"\(role)\" LOGIN")
        let result: Swift.Result<Result, any Error>
        do { result = .success(try await body(role)) } catch { result = .failure(error) }
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
    let connection = try await LibPQConnection.connect(LibPQConfiguration(TestServer.shared.url))
    if migrated { try await OutboxMigrator(schema: schema).up(on: connection) }
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

/// A row of the log.
struct StoredMessage: Equatable {
    var id: Int64
    var destination: String
    var route: String?
    var key: String?
    var headers: String?
    var options: String?
    var deliverAt: Date?
    var payload: [UInt8]
}
