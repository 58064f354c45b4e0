import Foundation
import OutboxPostgres

/// Where the tests find a server.
func testPostgres() throws -> ConnectionConfiguration {
    guard let address = ProcessInfo.processInfo.environment["OUTBOX_TEST_POSTGRES"] else {
        throw MissingServer()
    }
    return try ConnectionConfiguration(address)
}

struct MissingServer: Error, CustomStringConvertible {
    var description: String { "set OUTBOX_TEST_POSTGRES to the address of a Postgres server" }
}
