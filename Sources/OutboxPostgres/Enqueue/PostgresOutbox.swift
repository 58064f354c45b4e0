public import Outbox
import OutboxMigrations
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
public struct PostgresOutbox: Sendable {
    let schema: OutboxSchema
    let statements: EnqueueStatements
    /// The most bytes of payload that a message may have.
    public let maximumPayload: Int
    /// Under these names connections prepare the statements: two outboxes on one connection are two pairs.
    private let names: (one: String, many: String)

    /// Creates an outbox; nothing is connected.
    ///
    /// - Parameters:
    ///   - schema: The outbox's schema. Default: "outbox".
    ///   - maximumPayload: The most bytes of payload that a message may have. Default 16 MiB; the schema allows
    ///     ``Outbox/NewMessage/largestPayload``, which is the most in any case.
    public init(schema: OutboxSchema = OutboxSchema(), maximumPayload: Int = 16 << 20) {
        self.schema = schema
        self.statements = schema.enqueueStatements
        self.maximumPayload = maximumPayload
        // The name itself may be too long for the name of a statement.
        let tag = String(FowlerNollVo.hash(schema.name.utf8), radix: 16)
        self.names = (one: "outbox_enqueue_\(tag)", many: "outbox_enqueue_many_\(tag)")
    }

    /// Enqueues a message.
    ///
    /// - Returns: The message's number.
    /// - Throws: ``Outbox/InvalidMessage`` before anything is sent. After any other error the transaction can only be
    ///   rolled back: ``OutboxError`` with ``OutboxError/Code/schemaMissing`` or ``OutboxError/Code/privilege``,
    ///   ``PostgresError``.
    @discardableResult
    public func enqueue(_ message: NewMessage, in transaction: borrowing Transaction) async throws -> Int64 {
        try await self.run(self.statement(for: message), in: transaction)[0].decode(0)
    }

    /// Enqueues several messages with one statement; all are checked first. More than 64 MiB of payload are sent in as
    /// many statements as it takes; for very many messages see ``copy(_:in:)``.
    ///
    /// - Returns: The messages' numbers, in the order of the messages, ascending.
    /// - Throws: As ``enqueue(_:in:)``.
    @discardableResult
    public func enqueue(_ messages: [NewMessage], in transaction: borrowing Transaction) async throws -> [Int64] {
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
    /// - Throws: ``Outbox/InvalidMessage``.
    public func statement(for message: NewMessage) throws(InvalidMessage) -> SQLStatement {
        let message = try self.checked(message)
        return SQLStatement(
            self.statements.one,
            [
                .text(message.destination.name), message.route.sqlValue, message.key.sqlValue,
                message.headersJSON.map(SQLValue.json) ?? .null, message.deliverAt.sqlValue,
                message.options.json.map(SQLValue.json) ?? .null, .bytes(message.payload),
            ], name: self.names.one)
    }

    /// The statement that enqueues several messages, for clients other than this package's. It returns a row with the
    /// message's number for each, in their order.
    ///
    /// - Throws: ``Outbox/InvalidMessage``, for the first message that is refused.
    public func statement(for messages: [NewMessage]) throws(InvalidMessage) -> SQLStatement {
        var columns = MessageColumns(capacity: messages.count)
        for message in messages { try columns.append(self.checked(message)) }
        return SQLStatement(self.statements.many, columns.binds, name: self.names.many)
    }

    /// Runs a statement that names nothing but the outbox.
    func run(_ statement: SQLStatement, in transaction: borrowing Transaction) async throws -> QueryResult {
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
        _ = try message.deliverAtMicroseconds()
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
