import Outbox
import OutboxRuntime
import Synchronization

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// A transport to a ``LoopbackBus``, which does something wrong if the bus has a fault.
final class LoopbackTransport: Transport {
    static let largest = 1 << 20

    #if canImport(Darwin)
    private static func close(_ file: Int32) -> Int32 { Darwin.close(file) }
    #elseif canImport(Musl)
    private static func close(_ file: Int32) -> Int32 { Musl.close(file) }
    #else
    private static func close(_ file: Int32) -> Int32 { Glibc.close(file) }
    #endif

    private let bus: LoopbackBus
    private let fault: TransportFault?
    private let closes = Latch()
    /// The messages that it was asked to deliver.
    private let count = Atomic(0)
    /// The generation of the connection.
    private let connection = Mutex<Int?>(nil)
    private let underWay = Atomic(0)
    /// What it has open for ever, as far as a check can see.
    private let leaked = Mutex<[Int32]>([])

    init(_ bus: LoopbackBus) {
        self.bus = bus
        self.fault = bus.fault
    }

    deinit {
        for file in self.leaked.withLock(\.self) { _ = Self.close(file) }
    }

    var description: String { "loopback" }

    var batchLimit: BatchLimit { BatchLimit(messages: 400, bytes: 2_000_000, bytesPerMessage: 10) }

    var health: TransportHealth {
        if self.fault == .staysUp { return .up }
        if self.closes.isOpen { return .closed }
        let connection = self.connection.withLock(\.self)
        return connection.map(self.bus.isConnected) ?? false ? .up : .down("not connected")
    }

    func run() async throws {
        if self.fault == .endsByItself { return }
        await self.closes.wait()
        while self.underWay.load(ordering: .acquiring) > 0, !Task.isCancelled { await Task.yield() }
    }

    func close() async {
        if self.fault == .neverCloses { while !Task.isCancelled { await Task.yield() } }
        self.closes.open()
    }

    func contact() async -> TransportHealth {
        if self.fault == .neverKnows { await self.stay() }
        return self.connect() == nil ? .down("not connected") : .up
    }

    func deliver(_ batch: MessageBatch) async throws -> [Outcome] {
        if self.closes.isOpen { return self.closedOutcomes(batch) }
        self.underWay.add(1, ordering: .acquiringAndReleasing)
        defer { self.underWay.subtract(1, ordering: .acquiringAndReleasing) }
        if self.fault == .overstatesItsLimit, batch.reduce(0, { $0 + self.batchLimit.size(of: $1) }) > 1_900_000 {
            return batch.map { _ in .reject("too much") }
        }
        var outcomes = try await self.send(batch)
        if self.fault == .reversesOutcomes { outcomes.reverse() }
        if self.fault == .forgetsAnOutcome { outcomes.removeLast() }
        return outcomes
    }

    private func closedOutcomes(_ batch: MessageBatch) -> [Outcome] {
        batch.map { message in
            if self.fault != .deliversClosed { return .unavailable("closed") }
            self.bus.take(message)
            return .delivered
        }
    }

    private func send(_ batch: MessageBatch) async throws -> [Outcome] {
        let isOrdered =
            self.fault != .passesFailures && self.fault != .ordersNothing
            && (batch.isOrderedByKey || self.fault == .alwaysOrders)
        var schedule = BatchSchedule(MessageBatch(batch.messages, isOrderedByKey: isOrdered))
        let connection = self.connect()
        while !schedule.isDone {
            var sent: [Int] = []
            while sent.count < 10, let index = schedule.next() { sent.append(index) }
            if self.fault == .ordersNothing { sent.reverse() }
            for index in sent {
                schedule.settle(index, self.outcome(of: batch[index], connection))
            }
            try Task.checkCancellation()
            await Task.yield()
            if self.fault == .neverReturns { await self.stay() }
        }
        return schedule.outcomes
    }

    /// Not for ever: the test would not end either.
    private func stay() async {
        let end = ContinuousClock.now + self.bus.patience + self.bus.patience
        while ContinuousClock.now < end { await Task.yield() }
    }

    private func outcome(of message: Message, _ connection: Int?) -> Outcome {
        guard let connection, self.bus.isConnected(connection) else {
            switch self.fault {
            case .deliversNothing: return .delivered
            case .retriesOutages: return .retry("not connected")
            case .rejectsOutages: return .reject("not connected")
            default: return .unavailable("not connected")
            }
        }
        // Not by the message's number: those of a check that runs beside it are between.
        if self.fault == .losesSome, self.count.add(1, ordering: .relaxed).newValue.isMultiple(of: 4) {
            return .delivered
        }
        if message.payload.count > Self.largest {
            switch self.fault {
            case .retriesOversized: return .retry("too long")
            default: return .reject("too long")
            }
        }
        if message.route == "forbidden" {
            switch self.fault {
            case .deliversRefused: return .delivered
            case .isUnavailableForOne: return .unavailable("forbidden")
            default: return .retry("forbidden")
            }
        }
        if self.fault == .repeats { self.bus.take(message) }
        self.bus.take(message)
        return .delivered
    }

    private func connect() -> Int? {
        self.connection.withLock { connection in
            if let connection, self.bus.isConnected(connection) { return connection }
            connection = self.bus.connect()
            if self.fault == .leaks {
                self.leaked.withLock { $0.append(unsafe open("/dev/null", O_RDONLY | O_CLOEXEC)) }
            }
            return connection
        }
    }
}
