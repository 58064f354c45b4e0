public import Outbox
import OutboxMigrations
import OutboxRuntime
import OutboxSQL

/// Puts messages into an outbox, in the transaction that changes the application's own data.
///
/// ```swift
/// let outbox = PostgresOutbox()
/// try await pool.withTransaction { transaction in
///     try await transaction.query("INSERT INTO orders (id) VALUES (\(order.id))")
///     try await outbox.enqueue(NewMessage(to: .eventBus, key: order.id, json: order), in: transaction)
/// }
/// ```
///
/// A message is there if the transaction commits, and never was if it does not. It is checked before anything is sent:
/// a message that is refused leaves the transaction as it was. The current trace context goes into the headers.
///
/// A message with an ``/Outbox/NewMessage/idempotencyKey`` that its destination has had within the window is not enqueued:
/// the number of the first one is returned. While another transaction is enqueueing with the key, the call waits for its
/// end, as for any unique key. So two transactions that bring the same keys in opposite orders may deadlock (SQLSTATE
/// 40P01), and one above `READ COMMITTED` may fail with 40001; both are retriable.
public struct PostgresOutbox: Sendable {
    let schema: OutboxSchema
    let statements: EnqueueStatements
    let columns: MessageColumns
    /// The most bytes of payload that a message may have.
    package let maximumPayload: Int
    /// For how long a message keeps others with its idempotency key out, from the beginning of the transaction that
    /// enqueued it.
    package let idempotencyWindow: Duration
    /// The end of the names under which connections prepare the statements: two outboxes on one connection have their own.
    private let tag: String

    /// Creates an outbox; nothing is connected.
    ///
    /// - Parameters:
    ///   - schema: The outbox's schema. Default: "outbox".
    ///   - maximumPayload: The most bytes of payload that a message may have. Default 16 MiB; the schema allows
    ///     ``/Outbox/NewMessage/largestPayload``, which is the most in any case.
    ///   - idempotencyWindow: For how long a message keeps others with its idempotency key out. Default a day, at most
    ///     1,000 years.
    public init(
        schema: OutboxSchema = OutboxSchema(), maximumPayload: Int = 16 << 20,
        idempotencyWindow: Duration = .seconds(24 * 60 * 60)
    ) {
        self.init(
            schema: schema, maximumPayload: maximumPayload, idempotencyWindow: idempotencyWindow, columns: .standard)
    }

    /// The same for a schema with other columns.
    init(schema: OutboxSchema, maximumPayload: Int, idempotencyWindow: Duration, columns: MessageColumns) {
        self.schema = schema
        self.columns = columns
        self.statements = schema.enqueueStatements(columns)
        self.maximumPayload = maximumPayload
        self.idempotencyWindow = idempotencyWindow
        // The name itself may be too long for the name of a statement.
        self.tag = String(FowlerNollVo.hash(schema.name.utf8), radix: 16)
    }

    /// Enqueues a message.
    ///
    /// - Returns: The message's number, or that of the first one with its idempotency key.
    /// - Throws: ``/Outbox/InvalidMessage`` before anything is sent. After any other error the transaction can only be
    ///   rolled back: ``OutboxError`` with ``OutboxError/Code/schemaMissing``, ``OutboxError/Code/schemaTooOld`` or
    ///   ``OutboxError/Code/privilege``, ``LibPQError``.
    @discardableResult
    public func enqueue(_ message: NewMessage, in transaction: borrowing LibPQTransaction) async throws -> Int64 {
        try await self.run(self.statement(for: message), in: transaction)[0].decode(0)
    }

    /// Enqueues several messages with one statement; all are checked first. More than 64 MiB of payload are sent in as
    /// many statements as it takes; for very many messages see `copy(_:in:)`.
    ///
    /// - Returns: The messages' numbers, in the order of the messages; ascending, but for those of messages that had been
    ///   enqueued before with their idempotency keys.
    /// - Throws: As ``enqueue(_:in:)``.
    @discardableResult
    public func enqueue(_ messages: [NewMessage], in transaction: borrowing LibPQTransaction) async throws -> [Int64] {
        // All of them before the first is sent.
        let statements = try self.portions(messages).map { portion in try self.statement(for: Array(portion)) }
        var ids: [Int64] = []
        ids.reserveCapacity(messages.count)
        for statement in statements {
            let result = try await self.run(statement, in: transaction)
            for row in 0..<result.rowCount { ids.append(result.int64(row: row, column: 0)) }
        }
        return ids
    }

    /// The statement that enqueues a message, for clients other than this package's. It returns the message's number.
    ///
    /// - Throws: ``/Outbox/InvalidMessage``.
    public func statement(for message: NewMessage) throws(InvalidMessage) -> LibPQStatement {
        let message = try self.checked(message)
        let binds = self.columns.values(of: message)
        guard let idempotencyKey = message.idempotencyKey else {
            return LibPQStatement(self.statements.one, binds, name: "outbox_enqueue_\(self.tag)")
        }
        return LibPQStatement(
            self.statements.oneIdempotent, [.text(idempotencyKey), self.idempotencyInterval] + binds,
            name: "outbox_enqueue_idempotent_\(self.tag)")
    }

    /// The statement that enqueues several messages, for clients other than this package's. It returns a row with the
    /// message's number for each, in their order.
    ///
    /// - Throws: ``/Outbox/InvalidMessage``, for the first message that is refused.
    public func statement(for messages: [NewMessage]) throws(InvalidMessage) -> LibPQStatement {
        let binds = try self.columns.arrays(of: messages.map(self.checked))
        guard messages.contains(where: { $0.idempotencyKey != nil }) else {
            return LibPQStatement(self.statements.many, binds, name: "outbox_enqueue_many_\(self.tag)")
        }
        let keys = LibPQValue.textArray(messages.map(\.idempotencyKey))
        return LibPQStatement(
            self.statements.manyIdempotent, [keys, self.idempotencyInterval] + binds,
            name: "outbox_enqueue_many_idempotent_\(self.tag)")
    }

    /// Runs a statement that names nothing but the outbox.
    func run(_ statement: LibPQStatement, in transaction: borrowing LibPQTransaction) async throws -> LibPQResult {
        do {
            return try await transaction.query(statement)
        } catch {
            throw OutboxError.explainingUse(error, schema: self.schema, task: "enqueue into")
        }
    }

    /// The message as it is sent, if it can be.
    func checked(_ message: NewMessage) throws(InvalidMessage) -> NewMessage {
        // The trace context comes from outside too, so it is added before the check.
        let message = message.withTraceContext
        try message.validate(maximumPayload: self.maximumPayload)
        try message.checkDeliverAt()
        return message
    }

    /// A parameter has 1 GiB at most, and a statement is in memory twice.
    private func portions(_ messages: [NewMessage]) -> [ArraySlice<NewMessage>] {
        let limit = 64 << 20
        var portions: [ArraySlice<NewMessage>] = []
        var start = 0
        var bytes = 0
        for (index, message) in messages.enumerated() {
            if bytes + message.payload.count > limit, index > start {
                portions.append(messages[start..<index])
                (start, bytes) = (index, 0)
            }
            bytes += message.payload.count
        }
        if start < messages.count { portions.append(messages[start...]) }
        return portions
    }
}
