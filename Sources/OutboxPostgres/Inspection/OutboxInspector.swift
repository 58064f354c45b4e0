import OutboxSQL

/// What an operator wants to know of an outbox, and does with messages that were not delivered.
///
/// Each call is a transaction of its own on the connection it is given, whose role has the grants of a relay; see
/// ``OutboxSchema/grants(producer:relay:monitor:)``. What is thrown beside ``OutboxError`` is the client's: ``LibPQError`` or
/// ``LibPQTransactionError``.
public struct OutboxInspector: Sendable {
    let schema: OutboxSchema
    let statements: InspectionStatements

    /// An inspector of an outbox. Default: of the schema "outbox".
    public init(schema: OutboxSchema = OutboxSchema()) {
        self.init(schema: schema, columns: .standard)
    }

    /// The same for a schema with other columns.
    init(schema: OutboxSchema, columns: MessageColumns) {
        self.schema = schema
        self.statements = schema.inspectionStatements(columns)
    }

    /// How the outbox is doing. Reads indexes only, so it is cheap however long the log is.
    ///
    /// The role needs no more than the grants of a monitor; see ``OutboxSchema/grants(producer:relay:monitor:)``.
    ///
    /// - Parameters:
    ///   - subscription: Whose streams to look at. Default "main".
    ///   - earlier: An earlier status of the subscription, to compare with: see ``OutboxStatus/Stream/rate``. Default: none.
    ///   - countLimit: How far to count messages. Default 1,000,000.
    ///   - connection: A connection that is not in a transaction.
    /// - Throws: ``OutboxError/Code/schemaMissing``, ``OutboxError/Code/schemaTooOld``,
    ///   ``OutboxError/Code/schemaTooNew``, ``OutboxError/Code/privilege``.
    public func status(
        subscription: String = "main", since earlier: OutboxStatus? = nil, countLimit: Int = 1_000_000,
        on connection: LibPQConnection
    ) async throws -> OutboxStatus {
        try await self.inTransaction(on: connection, isolation: .repeatableRead, readOnly: true) { transaction in
            let binds: [LibPQValue] = [.text(subscription), .int8(Int64(countLimit))]
            let streams = earlier?.streams ?? []
            let since: [LibPQValue] = [.int4Array(streams.map(\.id)), .int8Array(streams.map(\.position))]
            let results = try await transaction.pipeline([
                LibPQStatement(self.statements.configure),
                LibPQStatement(self.statements.now),
                LibPQStatement(self.statements.streamStatus, binds + [.null]),
                LibPQStatement(self.statements.unregistered, binds),
                LibPQStatement(self.statements.segments),
                LibPQStatement(
                    self.statements.relays, [.text(subscription), .int4(FleetLock.relays(of: subscription))]),
                LibPQStatement(self.statements.passed, binds + since),
            ])
            var status = OutboxStatus(
                subscription: subscription,
                takenAt: try results[1][0].decode(0),
                streams: try results[2].map { row in try OutboxStatus.Stream(row, countLimit: countLimit) },
                unregistered: try results[3].map { row in
                    try OutboxStatus.UnregisteredDestination(row, countLimit: countLimit)
                },
                segments: try results[4].map { row in try OutboxStatus.Segment(row) }, relays: [])
            for row in results[5] { status.add(try row.decode("application_name"), try OutboxStatus.RelayProcess(row)) }
            if let earlier { status.compare(with: earlier, passed: try Self.passed(results[6])) }
            return status
        }
    }

    private static func passed(_ result: LibPQResult) throws -> [Int32: Int] {
        var passed: [Int32: Int] = [:]
        for row in result { passed[try row.decode("id", as: Int32.self)] = try row.decode("messages", as: Int.self) }
        return passed
    }

    /// Dead letters without their payloads, the last one first.
    ///
    /// - Parameters:
    ///   - filter: Which ones. Default: all of the subscription "main".
    ///   - limit: How many at most. Default 100.
    ///   - offset: How many of the last ones to pass over. Default 0.
    ///   - connection: A connection that is not in a transaction.
    /// - Throws: As ``status(subscription:since:countLimit:on:)``.
    public func deadLetters(
        matching filter: DeadLetterFilter = DeadLetterFilter(), limit: Int = 100, offset: Int = 0,
        on connection: LibPQConnection
    ) async throws -> [DeadLetter] {
        try await self.inTransaction(on: connection, readOnly: true) { transaction in
            let binds = filter.binds + [.int8(Int64(max(limit, 0))), .int8(Int64(max(offset, 0)))]
            let result = try await transaction.query(LibPQStatement(self.statements.listDeadLetters, binds))
            return try result.map { row in try DeadLetter(row) }
        }
    }

    /// A dead letter with its payload; nil: there is none of that number.
    ///
    /// - Parameters:
    ///   - id: Its number.
    ///   - subscription: Whose it is. Default "main".
    ///   - payloadLimit: How many bytes of the payload are read at most. Default: all.
    ///   - connection: A connection that is not in a transaction.
    /// - Throws: As ``status(subscription:since:countLimit:on:)``.
    public func deadLetter(
        id: Int64, subscription: String = "main", payloadLimit: Int? = nil, on connection: LibPQConnection
    ) async throws -> DeadLetter? {
        try await self.inTransaction(on: connection, readOnly: true) { transaction in
            let binds: [LibPQValue] = [
                .text(subscription), .int8(id), payloadLimit.map { .int4(Int32(clamping: $0)) } ?? .null,
            ]
            let result = try await transaction.query(LibPQStatement(self.statements.findDeadLetter, binds))
            return try result.first.map { row in try DeadLetter(row) }
        }
    }

    /// Makes dead letters be tried again: at once, with all their attempts before them, and without regard to the order
    /// of their keys, in which their turn has passed. A sleeping relay is woken.
    ///
    /// - Parameters:
    ///   - filter: Which ones.
    ///   - dryRun: Whether only to count.
    ///   - connection: A connection that is not in a transaction.
    /// - Returns: How many.
    /// - Throws: As ``status(subscription:since:countLimit:on:)``.
    @discardableResult
    public func replay(
        matching filter: DeadLetterFilter, dryRun: Bool = false, on connection: LibPQConnection
    ) async throws -> Int {
        try await self.replay(matching: filter, dryRun: dryRun, atMost: nil, on: connection)
    }

    /// The same, unless it is more than so many: then nothing is changed, and ``MoreThanExpected`` thrown.
    package func replay(
        matching filter: DeadLetterFilter, dryRun: Bool, atMost: Int?, on connection: LibPQConnection
    ) async throws -> Int {
        try await self.change(
            self.statements.replayDeadLetters, counting: self.statements.countDeadLetters, filter.binds, dryRun: dryRun,
            atMost: atMost, on: connection)
    }

    /// Removes dead letters for good.
    ///
    /// - Parameters:
    ///   - filter: Which ones.
    ///   - dryRun: Whether only to count.
    ///   - connection: A connection that is not in a transaction.
    /// - Returns: How many.
    /// - Throws: As ``status(subscription:since:countLimit:on:)``.
    @discardableResult
    public func discard(
        matching filter: DeadLetterFilter, dryRun: Bool = false, on connection: LibPQConnection
    ) async throws -> Int {
        try await self.discard(matching: filter, dryRun: dryRun, atMost: nil, on: connection)
    }

    /// The same, unless it is more than so many: then nothing is changed, and ``MoreThanExpected`` thrown.
    package func discard(
        matching filter: DeadLetterFilter, dryRun: Bool, atMost: Int?, on connection: LibPQConnection
    ) async throws -> Int {
        try await self.change(
            self.statements.discardDeadLetters, counting: self.statements.countDeadLetters, filter.binds,
            dryRun: dryRun, atMost: atMost,
            on: connection)
    }

    func change(
        _ statement: String, counting count: String, _ binds: [LibPQValue], dryRun: Bool, atMost: Int? = nil,
        on connection: LibPQConnection
    ) async throws -> Int {
        try await self.inTransaction(on: connection, readOnly: dryRun) { transaction in
            if dryRun { return try await transaction.query(LibPQStatement(count, binds))[0].decode(0) }
            let changed = try await transaction.query(LibPQStatement(statement, binds)).affectedRows
            if let atMost, changed > atMost { throw MoreThanExpected(count: changed) }
            return changed
        }
    }
}

/// More messages match than were to be changed, so nothing is.
package struct MoreThanExpected: Error {
    /// How many match.
    package let count: Int

    /// Whether that is what has ended a change; nil: it is not.
    package static func found(in error: any Error) -> MoreThanExpected? {
        error as? MoreThanExpected ?? (error as? LibPQTransactionError)?.bodyError as? MoreThanExpected
    }
}

extension OutboxInspector {
    func inTransaction<Result>(
        on connection: LibPQConnection, isolation: LibPQIsolationLevel = .readCommitted, readOnly: Bool,
        _ body: (borrowing LibPQTransaction) async throws -> Result
    ) async throws -> Result {
        try await self.schema.inTransaction(
            on: connection, isolation: isolation, readOnly: readOnly,
            task: readOnly ? "inspect" : "change the failed messages of", body)
    }
}
