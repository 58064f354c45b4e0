import DequeModule
import Outbox
import OutboxRuntime
import Synchronization

/// What deliveries and the transport's thread tell each other.
final class DeliveryBoard: Sendable {
    /// What a delivery may do now.
    enum Admission {
        case send(Producer)
        /// Between two producers, or before the first contact.
        case wait
        /// Nothing can be delivered.
        case refuse(Outcome)
    }

    /// What the thread is asked to do.
    enum Order: Sendable {
        case work
        /// Finish what is under way, then end.
        case close
        /// End.
        case cancel
    }

    private struct State {
        var order = Order.work
        var isRunning = false
        var health = TransportHealth.starting
        var producer: Producer?
        /// Why the last producer had to be replaced.
        var lastFailure: String?
        /// When a batch, all of which goes to a topic, was delivered at least in part.
        var deliveries: [String: ContinuousClock.Instant] = [:]
        var underWay: [ObjectIdentifier: BatchReports] = [:]
        /// Those that found no room, in the order in which they are called. Only the first is called when there is some; when it
        /// has what it needs, it calls the next.
        var wantsRoom: Deque<BatchReports> = []
        /// Counts how often room was made, so that a delivery that found none can tell whether that is still so.
        var roomsMade = 0
        /// How many deliveries need a producer that has one record in a request.
        var suspicious = 0
        /// Counts batches in which a request was refused and no record of it alone.
        var oversizedRequests = 0
    }

    private let state = Mutex(State())
    /// Opens when the thread has ended.
    let ended = Latch()
    /// Opens when it is known whether a broker can be reached.
    private let known = Latch()

    // MARK: The transport

    var health: TransportHealth { self.state.withLock(\.health) }

    /// - Returns: Whether it is the first time.
    func begin() -> Bool {
        self.state.withLock { state in
            defer { state.isRunning = true }
            return !state.isRunning
        }
    }

    /// Asks the thread to end.
    func order(_ order: Order) {
        let (producer, underWay) = self.state.withLock { state in
            if case .cancel = state.order {} else { state.order = order }
            if case .close = order {} else { state.health = .closed }
            if !state.isRunning {
                state.health = .closed
                self.ended.open()
            }
            return (state.producer, Array(state.underWay.values))
        }
        if case .work = order {} else { self.known.open() }
        if case .cancel = order { for reports in underWay { reports.cancel() } }
        producer?.wakeThread()
    }

    // MARK: Deliveries

    /// Waits until it is known whether a broker can be reached.
    func contact() async -> TransportHealth {
        await self.known.wait()
        return self.health
    }

    /// Begins a delivery.
    ///
    /// - Throws: `CancellationError` if the transport was cancelled.
    func add(_ reports: BatchReports) throws(CancellationError) {
        let isCancelled = self.state.withLock { state in
            if case .cancel = state.order { return true }
            state.underWay[ObjectIdentifier(reports)] = reports
            return false
        }
        if isCancelled { throw CancellationError() }
    }

    /// Ends a delivery.
    func remove(_ reports: BatchReports) {
        let (order, producer) = self.state.withLock { state in
            state.underWay[ObjectIdentifier(reports)] = nil
            if let topic = reports.fixedTopic, reports.hasDelivered { state.deliveries[topic] = .now }
            return (state.order, state.producer)
        }
        // It may have been called, and have made nothing of it.
        self.passRoomOn(from: reports)
        if case .close = order { producer?.wakeThread() }
    }

    /// What a delivery may do now.
    func admission(isSuspicious: Bool) -> Admission {
        self.state.withLock { state in
            switch state.order {
            case .cancel: return .refuse(.unavailable("the transport has ended"))
            case .close where state.health == .closed: return .refuse(.unavailable("the transport is closed"))
            case .work, .close: break
            }
            if let reason = state.health.downReason { return .refuse(.unavailable(reason)) }
            guard let producer = state.producer, !isSuspicious || producer.isSolitary else { return .wait }
            return .send(producer)
        }
    }

    /// How often room was made.
    var roomsMade: Int { self.state.withLock(\.roomsMade) }

    /// Calls a delivery when there is room again, or was since `roomsMade` was read.
    ///
    /// - Parameter isFirst: Whether it goes before the others, because it has begun.
    func wantRoom(_ reports: BatchReports, roomsMade: Int, isFirst: Bool) {
        let isThere = self.state.withLock { state in
            if state.roomsMade != roomsMade { return true }
            // What has been reported of its own lets it look, too.
            state.wantsRoom.removeAll { $0 === reports }
            if isFirst { state.wantsRoom.prepend(reports) } else { state.wantsRoom.append(reports) }
            return false
        }
        if isThere { reports.call() }
    }

    /// A delivery has all the room it needs, so there may be more.
    func passRoomOn(from reports: BatchReports) {
        let next = self.state.withLock { state in
            state.wantsRoom.removeAll { $0 === reports }
            return state.wantsRoom.popFirst()
        }
        next?.call()
    }

    /// A delivery has records that may be to blame for a refused request: it needs a producer that has one in a request.
    func suspect() {
        let producer = self.state.withLock { state in
            state.suspicious += 1
            return state.producer
        }
        producer?.wakeThread()
    }

    /// A delivery knows which of its records were to blame.
    ///
    /// - Parameter hasFound: Whether there was one, rather than the request having been too large as a whole.
    func clear(hasFound: Bool) {
        let producer = self.state.withLock { state in
            state.suspicious -= 1
            if !hasFound { state.oversizedRequests += 1 }
            return state.producer
        }
        producer?.wakeThread()
    }

    // MARK: The thread

    var order: Order { self.state.withLock(\.order) }

    /// Whether a producer that has one record in a request is needed.
    var isSuspicious: Bool { self.state.withLock { $0.suspicious > 0 } }

    /// In how many batches a request was refused, and no record of it alone.
    var oversizedRequests: Int { self.state.withLock(\.oversizedRequests) }

    var isIdle: Bool { self.state.withLock(\.underWay.isEmpty) }

    /// Why the last producer had to be replaced; nil: there was no reason.
    var lastFailure: String? { self.state.withLock(\.lastFailure) }

    /// Notes why a producer has to be replaced.
    func note(failure: String) { self.state.withLock { $0.lastFailure = failure } }

    /// Whether a record of a batch, all of which goes to that topic, was delivered since then.
    func hasDelivered(to topic: String, since instant: ContinuousClock.Instant) -> Bool {
        self.state.withLock { state in
            if let last = state.deliveries[topic], last >= instant { return true }
            return state.underWay.values.contains { $0.fixedTopic == topic && $0.hasDelivered }
        }
    }

    /// From now on records go to that producer; nil: they wait.
    func offer(_ producer: Producer?) {
        let underWay = self.state.withLock { state in
            state.producer = producer
            return producer == nil ? [] : Array(state.underWay.values)
        }
        for reports in underWay { reports.call() }
    }

    /// Says how the transport is. When it is down, everything under way is unavailable, once its producer has ended.
    func report(_ health: TransportHealth) {
        let underWay = self.state.withLock { state in
            if state.health == .closed { return [BatchReports]() }
            state.health = health
            return Array(state.underWay.values)
        }
        self.known.open()
        for reports in underWay {
            if let reason = health.downReason { reports.end(with: .unavailable(reason)) } else { reports.call() }
        }
    }

    /// Records have been reported, so others find room.
    func makeRoom() {
        let first = self.state.withLock { state in
            state.roomsMade += 1
            return state.wantsRoom.popFirst()
        }
        first?.call()
    }

    /// The batches of which nothing was confirmed since then.
    func stalled(since instant: ContinuousClock.Instant) -> [BatchReports] {
        self.state.withLock { state in state.underWay.values.filter { $0.isStalled(since: instant) } }
    }

    /// Nothing is delivered any more.
    func end() {
        let underWay = self.state.withLock { state in
            state.health = .closed
            state.producer = nil
            return Array(state.underWay.values)
        }
        for reports in underWay { reports.end(with: .unavailable("the transport is closed")) }
        self.known.open()
        self.ended.open()
    }
}

extension TransportHealth {
    /// Why it is down; nil: it is not.
    var downReason: String? {
        guard let reason = self.reason, self == .down(reason) else { return nil }
        return reason
    }
}
