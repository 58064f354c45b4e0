package import Outbox
import OutboxRuntime
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A transport as the checks use it: it runs, every call comes back in time, and its outcomes are looked at for what must
/// never be.
struct CheckedTransport: Sendable {
    let transport: any Transport
    let fixture: any TransportFixture

    /// Opened when the check has asked it to close.
    private let closes = Latch()
    /// Opened when it does not run any more.
    private let hasEnded = Latch()

    init(_ fixture: any TransportFixture) async throws {
        self.fixture = fixture
        self.transport = try await fixture.makeTransport()
    }

    /// Runs a closure with a transport that runs, and closes it in good order.
    static func with(
        _ fixture: any TransportFixture, _ body: (CheckedTransport) async throws -> Void
    ) async throws {
        let checked = try await CheckedTransport(fixture)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await checked.transport.run()
                checked.hasEnded.open()
                try require(checked.closes.isOpen, "run() returned before close()")
            }
            defer { group.cancelAll() }
            try await body(checked)
            try await checked.close()
            try await group.waitForAll()
        }
        try require(!checked.transport.health.isUp, "a transport that was closed is not up")
    }

    /// Closes the transport, which ends.
    func close() async throws {
        self.closes.open()
        try await self.inTime("close()") { await self.transport.close() }
        try await self.inTime("run(), after close(),") { await self.hasEnded.wait() }
    }

    /// Does something that must come back before the fixture's patience is over.
    func inTime<Result: Sendable>(
        _ what: String, _ body: @Sendable @escaping () async throws -> Result
    ) async throws -> Result {
        try await withThrowingTaskGroup(of: Result?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await Task.sleep(for: self.fixture.patience)
                return nil
            }
            defer { group.cancelAll() }
            guard let result = try await group.next() ?? nil else {
                throw ConformanceFailure("\(what) did not come back in time")
            }
            return result
        }
    }

    /// Delivers messages as a relay does: in batches within the transport's limit, in order.
    func deliver(_ batch: MessageBatch) async throws -> [Outcome] {
        var outcomes: [Outcome] = []
        var rest = batch.messages[...]
        while let first = rest.first {
            var room = BatchRoom(self.transport.batchLimit, maximumCount: .max)
            room.add(first)
            var count = 1
            while count < rest.count, room.fits(rest[rest.startIndex + count]) {
                room.add(rest[rest.startIndex + count])
                count += 1
            }
            outcomes += try await self.deliverAtOnce(
                MessageBatch(Array(rest.prefix(count)), isOrderedByKey: batch.isOrderedByKey))
            rest = rest.dropFirst(count)
        }
        return outcomes
    }

    /// Delivers one batch.
    private func deliverAtOnce(_ batch: MessageBatch) async throws -> [Outcome] {
        let transport = self.transport
        let outcomes = try await self.inTime("deliver()") { try await transport.deliver(batch) }
        try require(outcomes.count, equals: batch.count, "outcomes for a batch")
        for (index, outcome) in outcomes.enumerated() where outcome == .behind {
            let isBehind = (0..<index).contains { earlier in
                batch[earlier].key != nil && batch[earlier].key == batch[index].key && outcomes[earlier] != .delivered
            }
            try require(isBehind, "message \(index) is behind, but no earlier one of its key has failed")
        }
        return outcomes
    }

    /// Delivers messages as a relay does: what is not delivered comes again, in order, until everything is delivered or
    /// rejected. The fixture's patience is over when so long nothing of it was: how many there are, and how busy the machine is,
    /// does not matter.
    ///
    /// - Returns: Those that were rejected.
    @discardableResult
    func deliverAll(_ messages: [NewMessage], batchSize: Int = 50) async throws -> [NewMessage] {
        var deadline = ContinuousClock.now + self.fixture.patience
        var rejected: [NewMessage] = []
        var rest = messages[...]
        while !rest.isEmpty {
            try require(deadline > .now, "\(rest.count) of \(messages.count) messages were not delivered in time")
            let batch = MessageBatch(Array(rest.prefix(batchSize)))
            let outcomes = try await self.deliver(batch)
            var again: [NewMessage] = []
            for (message, outcome) in zip(rest, outcomes) where outcome != .delivered {
                if outcome.isRejection { rejected.append(message) } else { again.append(message) }
            }
            if again.count == batch.count {
                // Like a relay's probes, but without its growing pauses.
                try await Task.sleep(for: .milliseconds(5))
            } else {
                deadline = .now + self.fixture.patience
            }
            rest = again[...] + rest.dropFirst(batchSize)
        }
        return rejected
    }

    /// Waits until something is true.
    func eventually(_ what: String, _ isTrue: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + self.fixture.patience
        while try await !isTrue() {
            try require(deadline > .now, "this did not come true in time: \(what)")
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Waits until so many messages have arrived, for as long as some do.
    func untilArrived(_ count: Int) async throws {
        var arrived = 0
        while arrived < count {
            let before = arrived
            try await self.eventually("a message arrives behind the first \(before), of \(count)") {
                arrived = try await self.arrivedNumbers().count
                return arrived > before
            }
        }
    }

    /// The numbers of the messages that have arrived; see `NewMessage.numbered`.
    func arrivedNumbers() async throws -> [Int] {
        try await self.fixture.received().compactMap {
            Int(String(decoding: $0.payload.prefix { $0 != 0x20 }, as: UTF8.self))
        }
    }
}

extension NewMessage {
    /// A message whose payload begins with a number and a space.
    static func numbered(_ number: Int, key: String? = nil) -> NewMessage {
        NewMessage(to: .orders, route: "orders", key: key, headers: ["number": "\(number)"], text: "\(number) of many")
    }
}

extension MessageBatch {
    /// A batch of messages as if they had been read from an outbox.
    package init(_ messages: [NewMessage], isOrderedByKey: Bool = true) {
        let rows = messages.map { content in
            InMemoryPage.Row(
                message: StoredMessage(
                    id: Self.lastID.add(1, ordering: .relaxed).newValue, content: content,
                    createdAt: Timestamp(Date(timeIntervalSince1970: 1_700_000_000))))
        }
        let page = InMemoryPage(
            stream: StreamID(1), destination: messages.first?.destination ?? .orders, origin: .log, rows: rows)
        self.init(messages.indices.map { Message(page: page, row: $0) }, isOrderedByKey: isOrderedByKey)
    }

    private static let lastID = Atomic<Int64>(0)
}

extension Outcome {
    var isRejection: Bool { if case .rejected = self.kind { true } else { false } }
    var isRefusal: Bool {
        switch self.kind {
        case .rejected, .retry: true
        case .delivered, .unavailable, .postponed, .behind: false
        }
    }
}
