import Outbox
import OutboxPostgres

extension Destination {
    static let eventBus: Destination = "event-bus"
    static let mail: Destination = "mail"
}

/// What a client sends.
struct OrderRequest: Codable {
    let customer: String
}

/// What is stored, answered and told to others.
struct Order: Codable {
    let id: Int64
    let customer: String
}

/// The application: orders, and what others are told about them.
struct Shop: Sendable {
    let pool: LibPQConnectionPool
    let outbox = PostgresOutbox()

    /// Creates the outbox and the application's own table where they are missing.
    func migrate() async throws {
        try await pool.withConnection { connection in
            try await OutboxMigrator().up(on: connection)
            try await connection.execute(
                script: """
                    CREATE TABLE IF NOT EXISTS orders (
                        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                        customer text NOT NULL
                    )
                    """)
        }
    }

    /// Stores an order and enqueues what others are to learn of it. All of it commits, or nothing does.
    func place(_ request: OrderRequest) async throws -> Order {
        try await pool.withTransaction { transaction in
            let rows = try await transaction.query(
                "INSERT INTO orders (customer) VALUES (\(request.customer)) RETURNING id")
            let order = Order(id: try rows[0].decode(0), customer: request.customer)
            try await outbox.enqueue(
                [
                    NewMessage(to: .eventBus, route: "order.placed", key: "order-\(order.id)", json: order),
                    NewMessage(to: .mail, text: "Thank you, \(order.customer)"),
                ], in: transaction)
            return order
        }
    }

    /// Where the messages go. Standard output stands for a broker and a mail server.
    static let routes: RelayRoutes = [
        .eventBus: .handler { message in
            guard let order = try? message.decode(Order.self) else { throw DeliveryFailure.reject("not an order") }
            print("event bus: \(message.route ?? "-"): order \(order.id) of \(order.customer)")
        },
        .mail: .handler(retry: .exponential(maximumAttempts: 5)) { message in
            print("mail: \(message.text)")
        },
    ]
}
