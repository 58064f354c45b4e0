import Foundation
import OutboxPostgres
import OutboxTestServers
import Synchronization
import TestSupport
import Testing

/// A run: writers, two relays behind a proxy, and what is known of what they did.
final class FaultRun: Sendable {
    static let window = 500

    let outbox: FaultyOutbox
    let server: EphemeralPostgres
    let proxy: PostgresProxy
    let relays: [RelayProcess]
    let folder: String
    let tally = Tally()
    let gate = TrafficGate()
    private let program: TestOutbox
    private let book: DeliveryBook
    private let deadline: ContinuousClock.Instant
    private let stopped = Mutex(false)
    /// When the last thing ended that keeps messages which were read from being delivered.
    private let stalled = Mutex(ContinuousClock.now)
    /// The first tag of the messages whose numbers began again with it.
    private let epoch = Mutex<Int?>(nil)
    /// What is lost and was said to be.
    private let reported = Mutex<Set<Int64>>([])

    init(
        outbox: FaultyOutbox, server: EphemeralPostgres, proxy: PostgresProxy, relays: [RelayProcess], folder: String,
        deliveries: String,
        deadline: ContinuousClock.Instant
    ) {
        self.outbox = outbox
        self.server = server
        self.proxy = proxy
        self.relays = relays
        self.folder = folder
        self.program = TestOutbox(schema: FaultyOutbox.schema, url: outbox.url)
        self.book = DeliveryBook(URL(fileURLWithPath: deliveries))
        self.deadline = deadline
    }

    // MARK: - The outbox that is disturbed

    /// Two whose messages go to a file, and two with a command that fails and refuses.
    let destinations = ["a", "b", "c", "d"]

    func isSlow(_ destination: String) -> Bool { destination > "b" }

    var target: Writer.Target {
        let slow = self.destinations.filter(self.isSlow)
        return Writer.Target(
            url: self.outbox.url, schema: FaultyOutbox.schema, destinations: self.destinations, refusing: Set(slow),
            bulk: Dictionary(uniqueKeysWithValues: slow.map { ($0, 10) }), kinds: Writer.Kind.allCases, keys: 10,
            outlivesServers: true)
    }

    /// Appends what is delivered to a file, as the sink `file` does. What is to be refused is; of the others each attempt
    /// fails in one of ten cases, always the same ones.
    static func handler(folder: String, deliveries: String) -> String {
        """
        payload=$(cat)
        case $payload in *reject) exit 65;; *fail) exit 1;; esac
        if [ -e '\(folder)'/down-$OUTBOX_DESTINATION ]; then exit 69; fi
        if [ $(((OUTBOX_ID * 7919 + OUTBOX_ATTEMPT * 104729) % 10)) = 0 ]; then exit 1; fi
        echo "$OUTBOX_ID|$OUTBOX_DESTINATION|$OUTBOX_KEY|$payload" >>'\(deliveries)'
        """
    }

    // MARK: - Running

    var isOver: Bool { self.stopped.withLock { $0 } || ContinuousClock.now >= self.deadline }

    /// Writes, delivers and disturbs until the time is over, then lets everything be delivered.
    func disturb(_ faults: [any Disturbance], _ actions: [any Disturbance], seed: UInt64) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await Writer.run(8, target: self.target, seed: seed, gate: self.gate) { self.isOver } }
            group.addTask { try await self.strike(faults, seed: seed &+ 1) }
            group.addTask { try await self.strike(actions, seed: seed &+ 2) }
            group.addTask { try await self.keepRunning { self.isOver } }
            group.addTask { try await self.holdWritersBack() }
            do {
                try await group.waitForAll()
            } catch {
                self.stopped.withLock { $0 = true }
                throw error
            }
        }
    }

    /// One after the other, each when there has been some progress since the one before, or nothing to do.
    private func strike(_ disturbances: [any Disturbance], seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        while !self.isOver {
            let count = try await self.book.read().count + Int.random(in: 1...800, using: &random)
            for _ in 0..<20 {
                if self.isOver { return }
                if try await self.book.read().count >= count { break }
                try await Task.sleep(for: .milliseconds(50))
            }
            try await disturbances.randomElement(using: &random)?.strike(self, &random)
        }
    }

    /// Starts relays that have ended, as a process manager would.
    private func keepRunning(until isOver: @Sendable () -> Bool) async throws {
        while !isOver() {
            for relay in self.relays { try relay.ensureRunning() }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// So that what is written is delivered within a time.
    private func holdWritersBack() async throws {
        while !self.isOver {
            if try await self.isBehind() {
                self.gate.close()
                defer { self.gate.open() }
                while try await self.isBehind(), !self.isOver { try await Task.sleep(for: .milliseconds(50)) }
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    private func isBehind() async throws -> Bool {
        let slow = try await self.outbox.number(
            "SELECT coalesce(sum(messages), 0)::bigint FROM \(FaultyOutbox.schema).lag WHERE destination > 'b'")
        let all = try await self.outbox.left()
        return slow > 100 || all > 10_000
    }

    // MARK: - What disturbances need

    /// Runs `body` when no writer is at work and everything was delivered.
    func whileQuiet(_ body: () async throws -> Void) async throws {
        try await self.gate.whileClosed {
            try await self.settle()
            try await body()
        }
    }

    /// Runs a subcommand, past the proxy.
    func operate(_ arguments: String) async throws -> Program.Ending {
        try await self.program.shell("\"$outbox\" \(arguments) \"$@\"")
    }

    func noteStall() { self.stalled.withLock { $0 = .now } }

    /// Whether it is so long ago that messages which were read were kept from being delivered that they have been.
    var isFluent: Bool { ContinuousClock.now - self.stalled.withLock { $0 } > .seconds(3) }

    /// The log's numbers have begun again. Where a relay finds out, it reads again what the log has; once for each time.
    func beginEpoch() async throws {
        let last = try await self.outbox.number("SELECT last_value FROM public.tag")
        let first = self.epoch.withLock { epoch in
            defer { epoch = last }
            return epoch
        }
        if let first {
            self.tally.expectAgain(
                try await self.outbox.number("SELECT count(*) FROM public.committed WHERE tag > \(first)"))
        }
    }

    func delivered(of destination: String) async throws -> Int {
        try await self.book.read().counts[destination] ?? 0
    }

    /// Waits until what the proxy was ordered to do has happened, for a while: there may be nothing to commit.
    func waitForCut(as name: String) async throws {
        for _ in 0..<60 where self.proxy.isArmed { try await Task.sleep(for: .milliseconds(50)) }
        if self.proxy.isArmed { return self.proxy.disarm() }
        self.tally.note(name, windows: 1)
    }

    // MARK: - What must be so

    /// Waits until everything is delivered or dead, with relays that are kept running, and checks that it is.
    func settle() async throws {
        // What was prepared has not rung.
        for destination in self.destinations {
            try await self.outbox.admin.execute(
                script: "SELECT \(FaultyOutbox.schema).enqueue('\(destination)', nextval('public.tag')::text)")
        }
        do {
            try await until("everything is delivered") {
                for relay in self.relays { try relay.ensureRunning() }
                return try await self.outbox.left() == 0
            }
        } catch {
            await self.report()
            throw error
        }
        // Where the numbers have begun again, the cursors say that nothing is left until a relay has found out.
        var lost = try await self.lost()
        for _ in 0..<300 where !lost.isSubset(of: self.reported.withLock { $0 }) {
            for relay in self.relays { try relay.ensureRunning() }
            try await Task.sleep(for: .milliseconds(100))
            lost = try await self.lost()
        }
        try await until("what was found out about is delivered") {
            for relay in self.relays { try relay.ensureRunning() }
            return try await self.outbox.left() == 0
        }
        let new = self.reported.withLock { reported in
            defer { reported = lost }
            return lost.subtracting(reported)
        }
        if !new.isEmpty {
            let some = try await self.outbox.describe(new.sorted().prefix(5))
            Issue.record("\(new.count) lost, such as \(some), after: \(self.tally.recent)")
            await self.report()
        }
    }

    private func lost() async throws -> Set<Int64> {
        let dead = try await self.outbox.tags(
            """
            SELECT tag FROM public.dead
            UNION ALL
            SELECT split_part(convert_from(payload, 'UTF8'), ' ', 1)::bigint FROM \(FaultyOutbox.schema).dead_letter
            """)
        return try await self.outbox.committed().subtracting(dead).subtracting(self.book.read().tags)
    }

    /// What the outbox looks like, for a report of a failure.
    private func report() async {
        let tables = ["stream", "deferred", "segment", "lag"]
        for table in tables {
            let rows = try? await self.outbox.admin.query(
                LibPQStatement("SELECT row::text FROM \(FaultyOutbox.schema).\(table) AS row LIMIT 20", []))
            for row in rows.map(Array.init) ?? [] { print(table, (try? row.decode(0, as: String.self)) ?? "") }
        }
        print("before:", self.tally.recent)
    }

    func check(seed: UInt64) async throws {
        try await self.beginEpoch()
        let book = try await self.book.read()
        let committed = try await self.outbox.committed()
        let dead = try await self.outbox.dead()
        let doomed = try await self.outbox.doomed()
        let doomedNumbers = try await self.outbox.doomedNumbers()
        let lost = committed.subtracting(dead).subtracting(book.tags)
        let repeated = book.count - book.tags.count
        let rolledBack = book.tags.subtracting(committed)
        let innocent = dead.subtracting(doomed)
        #expect(lost.count == 0)
        #expect(
            rolledBack.count == 0, "delivered of transactions that were rolled back: \(rolledBack.sorted().prefix(5))")
        #expect(innocent.count == 0, "dead though no handler refused them: \(innocent.sorted().prefix(5))")
        #expect(doomed.isDisjoint(with: book.tags), "what a handler refuses is not delivered")
        let order = book.order
        let outOfOrder = try await offThePool { order.outOfOrder(dead: doomedNumbers) }
        #expect(outOfOrder.count == 0, "\(outOfOrder.prefix(5))")
        let allowed = self.tally.windows * Self.window + self.tally.ranges
        #expect(repeated <= allowed, "\(repeated) repeated, \(allowed) can be explained")
        let skips = try await offThePool { order.skipsInRepetitions(dead: doomedNumbers) }
        print(
            """
            fault run: \(committed.count) messages, \(lost.count) lost, \(outOfOrder.count) out of order, \(dead.count) dead as \
            they should be, \(repeated) repeated (at most \(allowed)), \(skips) skips in repetitions, \(self.tally.refusals) \
            commits refused; \(self.tally.description); seed \(seed)
            """)
    }
}
