import OutboxSQL

/// Goes on to the log's next segment when the current one is big or old enough, empties segments that every stream of
/// every subscription has passed, and removes idempotency keys whose window is over.
///
/// A relay that owns its streams does this itself, on its own connection. Other janitors beside it do no harm.
/// No producer is kept waiting.
public struct OutboxJanitor: Sendable {
    private let schema: OutboxSchema
    private let policy: SegmentPolicy
    private let statements: Statements

    /// A janitor of an outbox.
    ///
    /// - Parameters:
    ///   - schema: The outbox's schema. Default: "outbox".
    ///   - policy: How much is kept, and for how long. Default: 24 h.
    public init(schema: OutboxSchema = OutboxSchema(), policy: SegmentPolicy = SegmentPolicy()) {
        self.schema = schema
        self.policy = policy
        self.statements = schema.statements
    }

    /// How many idempotency keys are removed in one look.
    private static let keys = 1000

    /// Looks at the segments once, and does what there is to do; removes at most 1,000 idempotency keys.
    ///
    /// - Parameter connection: A connection that is not in a transaction, of a role with the grants of a relay; see
    ///   ``OutboxSchema/grants(producer:relay:monitor:)``.
    /// - Returns: What was found and done.
    /// - Throws: ``OutboxError/Code/schemaMissing``, ``OutboxError/Code/schemaTooOld``,
    ///   ``OutboxError/Code/schemaTooNew``, ``OutboxError/Code/privilege``; beside them what the client throws,
    ///   ``LibPQError`` or ``LibPQTransactionError``.
    @discardableResult
    public func run(on connection: LibPQConnection) async throws -> JanitorReport {
        try await self.schema.checkVersion(on: connection)
        do {
            return try await self.pass(on: connection)
        } catch {
            throw OutboxError.explaining(error, schema: self.schema, task: "look after the segments of")
        }
    }

    /// The same on a connection of which it is known that the schema is right. Each step is a transaction of its own, which
    /// the emptying of a segment asks for.
    func pass(on connection: LibPQConnection) async throws -> JanitorReport {
        let facts = try await connection.withTransaction { transaction in
            try await transaction.pipeline([
                self.fixSearchPath, LibPQStatement(self.statements.noteSegments.text),
                LibPQStatement(self.statements.listSegments.text),
            ])[2].map { row in try SegmentFacts(row) }
        }
        let plan = SegmentPlan(facts, policy: self.policy)
        var report = JanitorReport(segments: facts.map(JanitorReport.Segment.init), next: plan.next)
        for number in plan.candidates {
            let outcome = try await self.empty(number, on: connection)
            if let index = facts.firstIndex(where: { $0.number == number }) { report.segments[index].outcome = outcome }
            if outcome == .unread || outcome == .busy { report.lookAgain(after: self.policy.interval) }
            // Another attempt would keep readers of the log waiting once more.
            if outcome == .busy { break }
        }
        if let finished = plan.finished {
            report.advancedTo = try await self.advance(from: finished, on: connection)
            if report.advancedTo != nil {
                report.lookAgain(after: max(self.policy.retention, .zero))
            } else if report.next == nil {
                report.lookAgain(after: self.policy.interval)
            }
        }
        // Last: a relay with the grants of an earlier version may not.
        report.expiredKeys = try await connection.query(
            LibPQStatement(self.schema.enqueueStatements.expireIdempotencyKeys, [.int8(Int64(Self.keys))])
        ).affectedRows
        if report.expiredKeys == Self.keys { report.lookAgain(after: .zero) }
        return report
    }

    /// Fixes the search_path for the rest of a transaction. Emptying a segment and removing keys do not depend on it.
    private var fixSearchPath: LibPQStatement { LibPQStatement(self.statements.fixSearchPath.text, [.bool(true)]) }

    private func empty(_ number: Int, on connection: LibPQConnection) async throws -> JanitorReport.Outcome {
        let statement = LibPQStatement(self.statements.emptySegment.text, [.int2(Int16(number))])
        let answer: String = try await connection.withTransaction { transaction in
            try await transaction.query(statement)[0].decode(0)
        }
        return JanitorReport.Outcome(rawValue: answer) ?? .busy
    }

    /// - Returns: The new current segment; nil: no other one is empty, or another janitor was faster.
    private func advance(from number: Int, on connection: LibPQConnection) async throws -> Int? {
        try await connection.withTransaction { transaction in
            let results = try await transaction.pipeline([
                self.fixSearchPath, LibPQStatement(self.statements.advanceSegment.text, [.int4(Int32(number))]),
                LibPQStatement(self.statements.noteSegments.text),
            ])
            return try results[1].first.map { row in try row.decode(0, as: Int.self) }
        }
    }
}

extension JanitorReport {
    fileprivate mutating func lookAgain(after duration: Duration) {
        self.next = min(self.next ?? duration, duration)
    }
}

extension JanitorReport.Segment {
    /// A segment with which nothing has been done.
    fileprivate init(_ facts: SegmentFacts) {
        let outcome: JanitorReport.Outcome = facts.isCurrent ? .current : facts.isEmpty ? .empty : .retained
        self.init(number: facts.number, bytes: facts.bytes, age: facts.age, outcome: outcome)
    }
}

extension SegmentFacts {
    /// Reads a row of the statement list_segments.
    init(_ row: LibPQRow) throws(LibPQError) {
        self.init(
            number: try row.decode("number"), isCurrent: try row.decode("is_current"),
            isEmpty: try row.decode("is_empty"), bytes: try row.decode("bytes"),
            age: .microseconds(max(try row.decode("age_microseconds", as: Int64.self), 0)))
    }
}
