// A service with Hummingbird: a request stores an order and enqueues a mail, and a relay delivers it.
//
//     Orders                 where the server is comes from PGHOST, PGDATABASE, … as for psql
//     Orders --throwaway     a Postgres of its own, which is gone afterwards
import Foundation
import Hummingbird
import Logging
import Outbox
import OutboxPostgres
import OutboxTestServers

extension Destination {
    static let mail: Destination = "mail"
}

struct Order: Codable {
    var customer: String
}

let logger = Logger(label: "orders")
let throwaway = CommandLine.arguments.contains("--throwaway") ? try await EphemeralPostgres.start() : nil
let postgres = try LibPQConfiguration(throwaway?.url ?? "")

let pool = LibPQConnectionPool(postgres, logger: logger)
let outbox = PostgresOutbox()

// Before anything runs: a relay that finds no schema ends.
try await pool.withConnection { connection in
    try await OutboxMigrator().up(on: connection)
    try await connection.execute(script: "CREATE TABLE IF NOT EXISTS orders (customer text NOT NULL)")
}

let relay = Relay(
    postgres: postgres,
    routes: [
        .mail: .handler { message in
            let order = try message.decode(Order.self)
            logger.notice("Thank you", metadata: ["customer": "\(order.customer)"])
        }
    ],
    logger: logger)

let router = Router()

router.get("/readyz") { _, _ -> HTTPResponse.Status in
    relay.state.isReady ? .ok : .serviceUnavailable
}

router.post("/orders") { request, context -> HTTPResponse.Status in
    let order = try await request.decode(as: Order.self, context: context)
    try await pool.withTransaction { transaction in
        try await transaction.query("INSERT INTO orders (customer) VALUES (\(order.customer))")
        try await outbox.enqueue(NewMessage(to: .mail, key: order.customer, json: order), in: transaction)
    }
    return .created
}

let port = ProcessInfo.processInfo.environment["PORT"].flatMap(Int.init) ?? 8080
let app = Application(
    router: router,
    configuration: .init(address: .hostname("127.0.0.1", port: port)),
    // They end in the reverse order: first the server of Hummingbird, then the relay, then the pool.
    services: [pool, relay],
    logger: logger)
try await app.runService()
await throwaway?.stop()
