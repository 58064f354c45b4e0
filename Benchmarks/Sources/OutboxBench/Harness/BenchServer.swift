import OutboxPostgres

/// A server for benchmarks, and a database in it.
struct BenchServer: Sendable {
    /// For libpq in C and in Swift.
    let connectionString: String

    init(_ connectionString: String) {
        self.connectionString = connectionString
    }

    /// Connects.
    func connect() async throws -> LibPQConnection {
        try await LibPQConnection.connect(LibPQConfiguration(self.connectionString), logger: .quiet)
    }

    /// The same with another value for a parameter that needs no quotes.
    func adding(_ parameter: String, _ value: String) -> BenchServer {
        guard self.connectionString.contains("://") else {
            return BenchServer("\(self.connectionString) \(parameter)=\(value)")
        }
        return BenchServer(
            "\(self.connectionString)\(self.connectionString.contains("?") ? "&" : "?")\(parameter)=\(value)")
    }

    /// Runs `body` with a database of its own: what holds up vacuum in one database does not in another.
    func withDatabase<Result>(_ body: (BenchServer) async throws -> Result) async throws -> Result {
        let name = "outbox_bench_\(UInt32.random(in: 0 ... .max))"
        let connection = try await self.connect()
        try await connection.execute(script: "CREATE DATABASE \(name)")
        return try await withCleanUp {
            try await body(self.adding("dbname", name))
        } cleanUp: {
            try? await connection.execute(script: "DROP DATABASE \(name) WITH (FORCE)")
            await connection.close()
        }
    }

    /// Runs `body` with an outbox in a schema of its own.
    func withOutbox<Result>(_ body: (BenchOutbox) async throws -> Result) async throws -> Result {
        // A name that needs no quotes.
        let name = "outbox_bench_\(UInt32.random(in: 0 ... .max))"
        let server = self.adding("application_name", name)
        let schema = try OutboxSchema(name: name)
        let connection = try await server.connect()
        let outbox = try BenchOutbox(server: server, schema: schema, connection: connection)
        return try await withCleanUp {
            try await OutboxMigrator(schema: schema).up(on: connection)
            return try await body(outbox)
        } cleanUp: {
            try? await connection.execute(script: "DROP SCHEMA IF EXISTS \(name) CASCADE")
            await connection.close()
        }
    }
}

/// Runs `body`, then `cleanUp` whether or not it failed.
func withCleanUp<Result>(
    _ body: () async throws -> Result, cleanUp: () async -> Void
) async throws -> Result {
    let result: Result
    do {
        result = try await body()
    } catch {
        await cleanUp()
        throw error
    }
    await cleanUp()
    return result
}
