import OutboxPostgres
import OutboxTesting

/// Where the tests find a server.
func testPostgres() async throws -> ConnectionConfiguration {
    try ConnectionConfiguration(try await TestServer.shared.url)
}
