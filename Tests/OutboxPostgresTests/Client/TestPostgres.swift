import OutboxPostgres
import OutboxTestServers

/// Where the tests find a server.
func testPostgres() async throws -> LibPQConfiguration {
    try LibPQConfiguration(try await TestServer.shared.url)
}
