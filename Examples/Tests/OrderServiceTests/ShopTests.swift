import OutboxPostgres
import OutboxTestServers
import Testing

@testable import OrderService

@Suite(.timeLimit(.minutes(10))) struct ShopTests {
    @Test(.timeLimit(.minutes(1)))
    func anOrderAndItsMessagesAreStoredTogether() async throws {
        try await EphemeralPostgres.with { server in
            let pool = LibPQConnectionPool(try LibPQConfiguration(server.url))
            let shop = Shop(pool: pool)
            try await shop.migrate()

            _ = try await shop.place(OrderRequest(customer: "Ada"))
            // A text in Postgres has no U+0000.
            await #expect(throws: LibPQError.self) { try await shop.place(OrderRequest(customer: "\0")) }

            let rows = try await pool.withConnection { connection in
                try await connection.query("SELECT destination FROM outbox.message ORDER BY id")
            }
            #expect(try rows.map { try $0.decode(0, as: String.self) } == ["event-bus", "mail"])
            await pool.close()
        }
    }
}
