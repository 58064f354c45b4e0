import OutboxPostgres
import TestSupport

/// The log's numbers begin again, when everything has been delivered: the cursors stay.
struct NewNumbers: Disturbance {
    enum Variant: CaseIterable, Sendable {
        /// `TRUNCATE … RESTART IDENTITY` under relays at work.
        case restarted
        /// The same while no relay runs, and messages are written before one does.
        case restartedUnseen
        /// `setval` to a lower number, in an empty log.
        case setLower
        /// The cursors come from a server whose transaction numbers were higher, and their log has been emptied since.
        case restoredFromFurtherOn
    }

    let variant: Variant
    var name: String { "new numbers (\(self.variant))" }

    func strike(_ run: FaultRun, _ random: inout SeededGenerator) async throws {
        let isUnseen = self.variant != .restarted
        try await run.whileQuiet {
            if isUnseen { for relay in run.relays { try await relay.hold() } }
            try await run.outbox.archiveDeadLetters()
            try await run.outbox.admin.execute(script: try await self.statements(run, &random))
            run.tally.note(self.name, windows: 1)
            try await run.beginEpoch()
        }
        if isUnseen {
            try await self.pause(50...500, &random)
            for relay in run.relays { try relay.release() }
        }
    }

    private func statements(_ run: FaultRun, _ random: inout SeededGenerator) async throws -> String {
        let log = "\(FaultyOutbox.schema).message"
        switch self.variant {
        case .restarted, .restartedUnseen:
            return "TRUNCATE \(log) RESTART IDENTITY"
        case .setLower:
            let last = try await run.outbox.number("SELECT last_value FROM \(log)_id_seq")
            let lower = Int.random(in: 1...max(1, last - 1), using: &random)
            return "BEGIN; TRUNCATE \(log); SELECT setval('\(log)_id_seq', \(lower)); COMMIT"
        case .restoredFromFurtherOn:
            // As the relay that these rows come from has written them.
            let ahead = Int.random(in: 1_000_000...9_000_000, using: &random)
            return """
                BEGIN;
                TRUNCATE \(log) RESTART IDENTITY;
                SET LOCAL outbox.relay = 'on';
                UPDATE \(FaultyOutbox.schema).stream
                SET snapshot = format('%s:%s:', next, next)::pg_snapshot, horizon = (next + 1)::text::xid8
                FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint + \(ahead) AS next) AS far;
                COMMIT
                """
        }
    }
}
