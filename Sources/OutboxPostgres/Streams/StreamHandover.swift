import Outbox
import OutboxRuntime
import OutboxSQL

/// Takes streams from the relays that have them, for an operator who changes or removes their rows.
///
/// Who does that waits for the streams' locks, as their relays see, which finish what they have begun of them and hand them over. So nothing is on
/// its way when the rows change.
struct StreamHandover {
    /// A row of the table `stream`.
    struct Part {
        let id: Int32
        let slots: ClosedRange<Int16>
        let destination: Destination
    }

    let schema: OutboxSchema
    let statements: Statements
    /// What for, in the words of an error: "divide the streams of".
    let task: String
    /// How long relays may take to finish what they have begun.
    let limit: Duration
    let connection: LibPQConnection

    /// Runs a closure in a transaction in which no relay has some streams.
    ///
    /// - Parameters:
    ///   - find: The streams, kept from being changed by others to the end of the transaction. Called before their locks are taken, and after.
    ///   - changed: What to throw where there are others by then.
    ///   - body: Is given the streams, and the log's last id before the transaction had a number.
    func holding<Result>(
        _ find: (borrowing LibPQTransaction) async throws -> [Part], ifChanged changed: () -> OutboxError,
        _ body: (borrowing LibPQTransaction, _ present: [Part], _ lastID: Int64) async throws -> Result
    ) async throws -> Result {
        let (log, streams) = try await self.schema.inTransaction(
            on: self.connection, readOnly: false, task: self.task
        ) {
            transaction in
            let log: String = "SELECT '\(self.schema.identifierText).message'::regclass::oid::bigint"
            return (
                try await transaction.query(LibPQStatement(log, []))[0].decode(0, as: Int64.self),
                try await find(transaction)
            )
        }
        let numbers = streams.map(\.id)
        do {
            let deadline = ContinuousClock.now + self.limit
            for stream in streams { try await self.take(stream, log, until: deadline) }
            let result = try await self.schema.inTransaction(
                on: self.connection, readOnly: false, task: self.task
            ) {
                transaction in
                // Before the transaction has a number.
                let lastID = try await transaction.query(LibPQStatement(self.statements.lastID.text))[0].decode(
                    0, as: Int64.self)
                let present = try await find(transaction)
                if present.map(\.id) != numbers { throw changed() }
                return try await body(transaction, present, lastID)
            }
            try await self.give(numbers, log)
            return result
        } catch {
            // Whether the last one was granted may not be known. What fails here ends with the connection.
            try? await self.give(numbers, log)
            throw error
        }
    }

    /// Waits for a stream's lock, some seconds at a time: who waits holds a snapshot.
    private func take(_ stream: Part, _ log: Int64, until deadline: ContinuousClock.Instant) async throws {
        while true {
            do {
                // A relay that sleeps looks who waits for what, and looks again a second later.
                try await self.tell(log)
                return try await self.schema.inTransaction(
                    on: self.connection, readOnly: false, task: self.task
                ) {
                    transaction in
                    try await transaction.query(
                        LibPQStatement("SELECT pg_catalog.set_config('lock_timeout', '3s', true)", []))
                    try await transaction.query(
                        LibPQStatement(self.statements.awaitLock.text, [Self.key(log), .int4(stream.id)]))
                }
            } catch {
                guard Self.isTimeout(error) else { throw error }
                if ContinuousClock.now < deadline { continue }
                throw try await self.busy(stream, log)
            }
        }
    }

    private static func key(_ log: Int64) -> LibPQValue { .int4(Int32(truncatingIfNeeded: log)) }

    private static func isTimeout(_ error: any Error) -> Bool {
        (error as? LibPQError)?.sqlState == SQLState.lockNotAvailable
    }

    private func busy(_ stream: Part, _ log: Int64) async throws -> OutboxError {
        let holders = try await self.connection.query(
            LibPQStatement(self.statements.holdUp.text, [.int8(log), .int4(stream.id)]))
        let seen = try holders.map { row in
            "server process \(try row.decode(0, as: Int32.self)) (\(ActivityReport.reading(try row.decode(1)).name))"
        }
        return OutboxError(
            .streamBusy,
            """
            A stream of “\(stream.destination)” was not handed over within \(Int(self.limit.seconds)) s by \(seen.joined(separator: ", ")): \
            a handler takes that long, its destination is down, or its process is stopped. Nothing has changed; try again, or end that \
            relay first.
            """, schema: self.schema)
    }

    private func tell(_ log: Int64) async throws {
        try await self.connection.query(
            LibPQStatement(self.statements.tell.text, [.text("outbox_\(log)"), .text(PostgresSession.Word.fleet)]))
    }

    /// Gives the streams' locks up, and lets relays look.
    private func give(_ streams: [Int32], _ log: Int64) async throws {
        try await self.connection.query(
            LibPQStatement(self.statements.dropLocks.text, [Self.key(log), .int4Array(streams)]))
        try await self.tell(log)
    }
}

extension StreamHandover.Part {
    /// Reads a row of the statements `parts` and `streams_of`.
    init(_ row: LibPQRow) throws(LibPQError) {
        let low = try row.decode("slot_low", as: Int16.self)
        self.init(
            id: try row.decode("id"), slots: low...max(low, try row.decode("slot_high", as: Int16.self)),
            destination: Destination(try row.decode("destination")))
    }
}
