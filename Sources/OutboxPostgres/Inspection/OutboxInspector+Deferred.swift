import OutboxSQL

/// Messages that wait for a later attempt, and why messages fail.
extension OutboxInspector {
    /// Deferred messages without their payloads, those that are due next first.
    ///
    /// - Parameters:
    ///   - filter: Which ones. Default: all of the subscription "main".
    ///   - limit: How many at most. Default 100.
    ///   - offset: How many of those that are due first to pass over. Default 0.
    ///   - connection: A connection that is not in a transaction.
    /// - Throws: As ``status(subscription:since:countLimit:on:)``.
    public func deferred(
        matching filter: DeferredFilter = DeferredFilter(), limit: Int = 100, offset: Int = 0,
        on connection: LibPQConnection
    ) async throws -> [DeferredMessage] {
        try await self.inTransaction(on: connection, readOnly: true) { transaction in
            let binds = filter.binds() + [.int8(Int64(max(limit, 0))), .int8(Int64(max(offset, 0)))]
            let result = try await transaction.query(LibPQStatement(self.statements.listDeferred, binds))
            return try result.map { row in try DeferredMessage(row) }
        }
    }

    /// A deferred message with its payload; nil: there is none of that number.
    ///
    /// - Parameters:
    ///   - id: Its number.
    ///   - subscription: Whose it is. Default "main".
    ///   - payloadLimit: How many bytes of the payload are read at most. Default: all.
    ///   - connection: A connection that is not in a transaction.
    /// - Throws: As ``status(subscription:since:countLimit:on:)``.
    public func deferredMessage(
        id: Int64, subscription: String = "main", payloadLimit: Int? = nil, on connection: LibPQConnection
    ) async throws -> DeferredMessage? {
        try await self.inTransaction(on: connection, readOnly: true) { transaction in
            let binds: [LibPQValue] = [
                .text(subscription), .int8(id), payloadLimit.map { .int4(Int32(clamping: $0)) } ?? .null,
            ]
            let result = try await transaction.query(LibPQStatement(self.statements.findDeferred, binds))
            return try result.first.map { row in try DeferredMessage(row) }
        }
    }

    /// Makes deferred messages be tried at once, as if their pauses were over. Relays are told. What waits behind another message of its key
    /// goes on waiting for that one; what waits for its time is tried only where its id is given.
    ///
    /// - Parameters:
    ///   - filter: Which ones.
    ///   - dryRun: Whether only to count.
    ///   - connection: A connection that is not in a transaction.
    /// - Returns: How many.
    /// - Throws: As ``status(subscription:since:countLimit:on:)``.
    @discardableResult
    public func retry(
        matching filter: DeferredFilter, dryRun: Bool = false, on connection: LibPQConnection
    ) async throws -> Int {
        try await self.retry(matching: filter, dryRun: dryRun, atMost: nil, on: connection)
    }

    /// The same, unless it is more than so many: then nothing is changed, and ``MoreThanExpected`` thrown.
    package func retry(
        matching filter: DeferredFilter, dryRun: Bool, atMost: Int?, on connection: LibPQConnection
    ) async throws -> Int {
        try await self.change(
            self.statements.retryDeferred, counting: self.statements.countDeferred, filter.binds(canBeTried: true),
            dryRun: dryRun, atMost: atMost, on: connection)
    }

    /// Removes deferred messages for good. Those of their keys behind them go on.
    ///
    /// - Parameters:
    ///   - filter: Which ones.
    ///   - dryRun: Whether only to count.
    ///   - connection: A connection that is not in a transaction.
    /// - Returns: How many.
    /// - Throws: As ``status(subscription:since:countLimit:on:)``.
    @discardableResult
    public func discard(
        matching filter: DeferredFilter, dryRun: Bool = false, on connection: LibPQConnection
    ) async throws -> Int {
        try await self.discard(matching: filter, dryRun: dryRun, atMost: nil, on: connection)
    }

    /// The same, unless it is more than so many: then nothing is changed, and ``MoreThanExpected`` thrown.
    package func discard(
        matching filter: DeferredFilter, dryRun: Bool, atMost: Int?, on connection: LibPQConnection
    ) async throws -> Int {
        try await self.change(
            self.statements.discardDeferred, counting: self.statements.countDeferred, filter.binds(), dryRun: dryRun,
            atMost: atMost, on: connection)
    }

    /// With which errors deferred messages have failed, the most frequent first.
    ///
    /// - Parameters:
    ///   - filter: Of which ones. Default: all of the subscription "main".
    ///   - limit: How many groups at most. Default 100.
    ///   - connection: A connection that is not in a transaction.
    /// - Throws: As ``status(subscription:since:countLimit:on:)``.
    public func failures(
        ofDeferred filter: DeferredFilter = DeferredFilter(), limit: Int = 100, on connection: LibPQConnection
    ) async throws -> [FailureGroup] {
        try await self.groups(self.statements.groupDeferred, filter.binds(), limit, connection)
    }

    /// With which errors messages have died, the most frequent first.
    ///
    /// - Parameters:
    ///   - filter: Of which ones. Default: all of the subscription "main".
    ///   - limit: How many groups at most. Default 100.
    ///   - connection: A connection that is not in a transaction.
    /// - Throws: As ``status(subscription:since:countLimit:on:)``.
    public func failures(
        ofDeadLetters filter: DeadLetterFilter = DeadLetterFilter(), limit: Int = 100, on connection: LibPQConnection
    ) async throws -> [FailureGroup] {
        try await self.groups(self.statements.groupDeadLetters, filter.binds, limit, connection)
    }

    private func groups(
        _ statement: String, _ binds: [LibPQValue], _ limit: Int, _ connection: LibPQConnection
    ) async throws -> [FailureGroup] {
        try await self.inTransaction(on: connection, readOnly: true) { transaction in
            let result = try await transaction.query(LibPQStatement(statement, binds + [.int8(Int64(max(limit, 0)))]))
            return try result.map { row in try FailureGroup(row) }
        }
    }
}
