import Logging
import Outbox
import OutboxPostgres
import ServiceLifecycle

extension Destination {
    static let eventBus: Destination = "event-bus"
    static let mail: Destination = "mail"
}

struct Order: Codable {
    let id: Int64
    let customer: String
}

let logger = Logger(label: "shop")
let postgres = try LibPQConfiguration()  // PGHOST, PGDATABASE, … as for psql
let pool = LibPQConnectionPool(postgres, logger: logger)
let outbox = PostgresOutbox()

try await pool.withConnection { connection in
    try await OutboxMigrator().up(on: connection)
    try await connection.execute(
        script: "CREATE TABLE IF NOT EXISTS orders (id bigint GENERATED ALWAYS AS IDENTITY, customer text)")
}

// The order and its messages commit together, or not at all.
try await pool.withTransaction { transaction in
    let customer = "Ada"
    let rows = try await transaction.query("INSERT INTO orders (customer) VALUES (\(customer)) RETURNING id")
    let order = Order(id: try rows[0].decode(0), customer: customer)
    try await outbox.enqueue(
        NewMessage(to: .eventBus, route: "order.placed", key: "order-\(order.id)", json: order), in: transaction)
    try await outbox.enqueue(NewMessage(to: .mail, text: "Thank you, \(customer)"), in: transaction)
}

let relay = Relay(
    postgres: postgres,
    routes: [
        // Called with one message at a time, 64 at once for different keys. Returning means delivered, throwing: try again later.
        .eventBus: .handler { message in
            let order = try message.decode(Order.self)
            print("event bus: \(message.route ?? "-"): order \(order.id)")
        },
        // Called with up to 100; an outcome for each.
        .mail: .batch(maximumCount: 100) { messages in
            messages.map { message in
                print("mail: \(message.text)")
                return .delivered
            }
        },
    ],
    logger: logger)

let group = ServiceGroup(
    services: [pool, relay], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
try await group.run()
