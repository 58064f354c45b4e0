import Logging
import OutboxPostgres

/// An outbox for a benchmark, in a schema of its own.
struct BenchServer: Sendable {
    let connectionString: String
    let postgres: ConnectionConfiguration
    let schema: OutboxSchema
    private let connection: Connection

    static func with(_ connectionString: String, _ body: (BenchServer) async throws -> Void) async throws {
        let postgres = try ConnectionConfiguration(connectionString)
        let schema = try OutboxSchema(name: "outbox bench \(UInt32.random(in: 0 ... .max))")
        let connection = try await Connection.connect(postgres, logger: .quiet)
        let server = BenchServer(
            connectionString: connectionString, postgres: postgres, schema: schema, connection: connection)
        do {
            try await Migrator(schema: schema).up(on: connection)
            try await body(server)
        } catch {
            await server.remove()
            throw error
        }
        await server.remove()
    }

    private func remove() async {
        try? await self.connection.execute(script: "DROP SCHEMA IF EXISTS \(self.schema.identifier) CASCADE")
        await self.connection.close()
    }

    /// Runs SQL in which `$outbox` stands for the schema.
    func execute(_ sql: String) async throws {
        try await self.connection.execute(
            script: sql.split(separator: "$outbox", omittingEmptySubsequences: false).joined(
                separator: self.schema.identifier))
    }
}
