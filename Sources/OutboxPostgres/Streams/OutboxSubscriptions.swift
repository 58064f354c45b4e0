import Outbox
import OutboxSQL

/// Lists the subscriptions of an outbox, and drops one.
///
/// A subscription is made by the first relay that works for it (``/Outbox/RelaySettings/subscription``). Each has cursors, deferred messages
/// and dead letters of its own. As long as it is there the log keeps what it has not read, so one that is not needed any more is to be dropped.
///
/// What is thrown beside ``OutboxError`` is the client's: ``LibPQError`` or ``LibPQTransactionError``.
public struct OutboxSubscriptions: Sendable {
    private let schema: OutboxSchema
    private let statements: Statements
    private let inspection: InspectionStatements

    /// The subscriptions of an outbox. Default: of the schema "outbox".
    public init(schema: OutboxSchema = OutboxSchema()) {
        self.schema = schema
        self.statements = schema.statements
        self.inspection = OutboxInspector(schema: schema).statements
    }

    /// The subscriptions that there are, by name, all in one snapshot.
    ///
    /// The role needs the grants of a relay or of a monitor; see ``OutboxSchema/grants(producer:relay:monitor:)``.
    ///
    /// - Parameters:
    ///   - countLimit: How far to count messages. Default 100,000.
    ///   - connection: A connection that is not in a transaction.
    /// - Throws: ``OutboxError/Code/schemaMissing``, ``OutboxError/Code/schemaTooOld``,
    ///   ``OutboxError/Code/schemaTooNew``, ``OutboxError/Code/privilege``.
    public func list(countLimit: Int = 100_000, on connection: LibPQConnection) async throws -> [OutboxSubscription] {
        try await self.look(at: nil, countLimit, connection)
    }

    /// What a subscription has, and so what would be removed with it.
    ///
    /// - Throws: ``OutboxError/Code/subscriptionMissing``, and as ``list(countLimit:on:)``.
    public func subscription(
        named name: String, countLimit: Int = 100_000, on connection: LibPQConnection
    ) async throws -> OutboxSubscription {
        guard let found = try await self.look(at: name, countLimit, connection).first else { throw self.missing(name) }
        return found
    }

    /// Removes a subscription: its streams, deferred messages and dead letters, in one transaction. What it had not handled is not delivered
    /// for it any more, and does not keep the log; messages of a destination that no subscription is left for stay where they are.
    ///
    /// As long as a relay of the subscription is at work, or stands by, it is refused: that relay would make the streams again. A relay that
    /// begins afterwards is one of a new subscription.
    ///
    /// - Parameters:
    ///   - name: The subscription.
    ///   - limit: How long a session may take to give up a stream that it has. Default 30 s.
    ///   - connection: A connection that is not in a transaction, whose role has the grants of a relay and may also delete rows of `stream`.
    /// - Returns: What was removed.
    /// - Throws: ``OutboxError/Code/subscriptionMissing``, ``OutboxError/Code/subscriptionBusy``, ``OutboxError/Code/streamBusy`` where a
    ///   session that is no relay does not give up a stream; and as ``list(countLimit:on:)``.
    @discardableResult
    public func drop(
        _ name: String, waitingFor limit: Duration = .seconds(30), on connection: LibPQConnection
    ) async throws -> OutboxSubscription.Removal {
        try await self.drop(name, waitingFor: limit, besideRelays: false, on: connection)
    }

    /// The same, with relays at work or without.
    func drop(
        _ name: String, waitingFor limit: Duration = .seconds(30), besideRelays: Bool, on connection: LibPQConnection
    ) async throws -> OutboxSubscription.Removal {
        let task = "drop a subscription of"
        if !besideRelays {
            // Relays that are at work are not disturbed.
            try await self.schema.inTransaction(on: connection, readOnly: true, task: task) { transaction in
                try await self.refuseRelays(of: name, transaction)
            }
        }
        let handover = StreamHandover(
            schema: self.schema, statements: self.statements, task: task, limit: limit, connection: connection)
        let removal = try await handover.holding(
            { transaction in
                let rows = try await transaction.query(LibPQStatement(self.statements.streamsOf.text, [.text(name)]))
                return try rows.map { row in try StreamHandover.Part(row) }
            },
            ifChanged: {
                self.busy(
                    "The streams of the subscription “\(name)” were changed by another session meanwhile: try again.")
            }
        ) { transaction, present, _ in
            if !besideRelays { try await self.refuseRelays(of: name, transaction) }
            let row = try await transaction.query(
                LibPQStatement(
                    self.statements.dropSubscription.text, [.text(name), .int4Array(present.map(\.id))]))[0]
            return OutboxSubscription.Removal(
                streams: try row.decode("streams"), deferred: try row.decode("deferred"), dead: try row.decode("dead"))
        }
        if removal == OutboxSubscription.Removal(streams: 0, deferred: 0, dead: 0) { throw self.missing(name) }
        return removal
    }

    private func look(
        at name: String?, _ limit: Int, _ connection: LibPQConnection
    ) async throws -> [OutboxSubscription] {
        try await self.schema.inTransaction(
            on: connection, isolation: .repeatableRead, readOnly: true, task: "inspect"
        ) {
            transaction in
            let rows = try await transaction.query(
                LibPQStatement(
                    self.inspection.subscriptions, [name.map { .text($0) } ?? .null, .int8(Int64(limit))]))
            try await transaction.query(LibPQStatement(self.inspection.configure))
            var found: [OutboxSubscription] = []
            for row in rows {
                let name = try row.decode("subscription", as: String.self)
                let results = try await transaction.pipeline([
                    LibPQStatement(self.inspection.now),
                    LibPQStatement(self.inspection.streamStatus, [.text(name), .int8(Int64(limit)), .null]),
                    self.relays(of: name),
                ])
                let streams = try results[1].map { row in try OutboxStatus.Stream(row, countLimit: limit) }
                var status = OutboxStatus(
                    subscription: name, takenAt: try results[0][0].decode(0), streams: streams, unregistered: [],
                    segments: [], relays: [])
                for row in results[2] {
                    status.add(try row.decode("application_name"), try OutboxStatus.RelayProcess(row))
                }
                found.append(
                    OutboxSubscription(
                        name: name, streams: try row.decode("streams"), destinations: try row.decode("destinations"),
                        lag: OutboxStatus.Count(
                            streams.map(\.lag.value).reduce(0, +), isExact: streams.allSatisfy(\.lag.isExact)),
                        lagTime: streams.compactMap(\.lagTime).max(),
                        deferred: OutboxStatus.Count(try row.decode("deferred", as: Int.self), limit: limit),
                        dead: OutboxStatus.Count(try row.decode("dead", as: Int.self), limit: limit),
                        relays: status.relays))
            }
            return found
        }
    }

    private func relays(of name: String) -> LibPQStatement {
        LibPQStatement(self.inspection.relays, [.text(name), .int4(FleetLock.relays(of: name))])
    }

    private func refuseRelays(of name: String, _ transaction: borrowing LibPQTransaction) async throws {
        let relays = try await transaction.query(self.relays(of: name))
        if relays.isEmpty { return }
        let seen = try relays.map { row in
            let application = ActivityReport.reading(try row.decode("application_name", as: String?.self) ?? "").name
            return "server process \(try row.decode("pid", as: Int32.self)) (\(application))"
        }
        throw self.busy(
            """
            A relay of the subscription “\(name)” is at work: \(seen.joined(separator: ", ")). It would make the streams again; end it \
            first. Nothing has changed.
            """)
    }

    private func busy(_ message: String) -> OutboxError {
        OutboxError(.subscriptionBusy, message, schema: self.schema)
    }

    private func missing(_ name: String) -> OutboxError {
        OutboxError(
            .subscriptionMissing,
            "There is no subscription “\(name)”: no relay has ever had a stream of it, and nothing is deferred or dead.",
            schema: self.schema)
    }
}
