import Outbox
import OutboxPostgres

/// The application of the demonstration: a shop whose customers order, in transactions of their own, some of which are
/// rolled back.
struct DemoShop: Sendable {
    static let customers = 24

    let schema: OutboxSchema
    let outbox: PostgresOutbox
    let ledger: DemoLedger
    private let clock = ContinuousClock()

    init(schema: OutboxSchema, ledger: DemoLedger) {
        self.schema = schema
        self.outbox = PostgresOutbox(schema: schema)
        self.ledger = ledger
    }

    /// The application's own tables.
    func createTables(on connection: LibPQConnection) async throws {
        try await connection.execute(
            script: """
                CREATE TABLE \(self.name).demo_customer (id integer PRIMARY KEY, orders integer NOT NULL DEFAULT 0);
                INSERT INTO \(self.name).demo_customer SELECT generate_series(1, \(Self.customers));
                CREATE TABLE \(self.name).demo_order (customer integer NOT NULL, number integer NOT NULL);
                CREATE TABLE \(self.name).demo_sent (message bigint PRIMARY KEY, destination text NOT NULL);
                """)
    }

    /// Removes them again.
    func dropTables(on connection: LibPQConnection) async throws {
        try await connection.execute(
            script: "DROP TABLE IF EXISTS \(self.name).demo_customer, \(self.name).demo_order, \(self.name).demo_sent")
    }

    /// Places orders until the deadline.
    func trade(until deadline: ContinuousClock.Instant, every pause: Duration, on connection: LibPQConnection)
        async throws
    {
        while self.clock.now < deadline, !Task.isCancelled {
            try await self.order(customer: Int.random(in: 1...Self.customers), on: connection)
            try await Task.sleep(for: pause)
        }
    }

    /// Enqueues a message that the handler of billing cannot read.
    func sendPoison(on connection: LibPQConnection) async throws {
        let transaction = try await connection.begin()
        let poison = NewMessage(to: .billing, route: "invoice", key: "customer-0", text: "{ this is no invoice")
        let sent = try await self.send(poison, in: transaction)
        let began = self.clock.now
        try await transaction.commit()
        self.ledger.committed([sent], began: began)
    }

    /// The ids that the application's own table has: those of transactions that committed.
    func committedMessages(on connection: LibPQConnection) async throws -> Set<Int64> {
        let result = try await connection.query("SELECT message FROM \(unescaped: self.name).demo_sent")
        return Set(try result.map { row in try row.decode("message", as: Int64.self) })
    }

    // MARK: - Transactions

    private var name: String { self.schema.identifier }

    /// One order, its messages, and the end that a tenth of them come to: the payment is declined.
    private func order(customer: Int, on connection: LibPQConnection) async throws {
        let transaction = try await connection.begin()
        // The row's lock puts the orders of a customer into an order; the number lets the handlers check it.
        let row = try await transaction.query(
            """
            UPDATE \(unescaped: self.name).demo_customer SET orders = orders + 1 WHERE id = \(Int32(customer)) \
            RETURNING orders
            """)[0]
        let number = try row.decode(0, as: Int32.self)
        try await transaction.query(
            "INSERT INTO \(unescaped: self.name).demo_order (customer, number) VALUES (\(Int32(customer)), \(number))")
        var sent: [DemoLedger.Sent] = []
        for message in Self.messages(customer: customer, number: Int(number)) {
            sent.append(try await self.send(message, in: transaction))
        }
        if Int.random(in: 0..<10) == 0 {
            try await transaction.rollback()
            self.ledger.rolledBack(sent)
        } else {
            let began = self.clock.now
            try await transaction.commit()
            self.ledger.committed(sent, began: began)
        }
    }

    private static func messages(customer: Int, number: Int) -> [NewMessage] {
        func message(_ destination: Destination, _ route: String) -> NewMessage {
            NewMessage(
                to: destination, route: route, key: "customer-\(customer)",
                text: #"{"customer":\#(customer),"number":\#(number)}"#)
        }
        var messages = [message(.eventBus, "order.created"), message(.billing, "invoice")]
        if number % 2 == 0 { messages.append(message(.email, "confirmation")) }
        return messages
    }

    private func send(_ message: NewMessage, in transaction: borrowing LibPQTransaction) async throws -> DemoLedger.Sent
    {
        let id = try await self.outbox.enqueue(message, in: transaction)
        try await transaction.query(
            """
            INSERT INTO \(unescaped: self.name).demo_sent (message, destination) \
            VALUES (\(id), \(message.destination.name))
            """)
        return DemoLedger.Sent(id: id, destination: message.destination)
    }
}
