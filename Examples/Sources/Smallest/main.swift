import Logging
import Outbox
import OutboxPostgres
import ServiceLifecycle

let logger = Logger(label: "shop")
let postgres = try LibPQConfiguration()  // PGHOST, PGDATABASE, … as for psql
let pool = LibPQConnectionPool(postgres, logger: logger)
let outbox = PostgresOutbox()

try await pool.withConnection { connection in
    try await OutboxMigrator().up(on: connection)
    try await connection.execute(
        script: "CREATE TABLE IF NOT EXISTS orders (id bigint GENERATED ALWAYS AS IDENTITY, customer text)")
}

// The order and its message commit together, or not at all.
try await pool.withTransaction { transaction in
    let customer = "Ada"
    try await transaction.query("INSERT INTO orders (customer) VALUES (\(customer))")
    try await outbox.enqueue(NewMessage(to: "mail", text: "Thank you, \(customer)"), in: transaction)
}

let relay = Relay(
    postgres: postgres,
    routes: [
        // Returning means delivered; throwing means try again later.
        "mail": .handler { message in
            print("mail: \(message.text)")
        }
    ],
    logger: logger)

let group = ServiceGroup(
    services: [pool, relay], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
try await group.run()
