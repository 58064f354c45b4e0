import DequeModule
import Outbox
import OutboxRuntime
import Synchronization

/// The producer that deliveries hand their records to, which the transport's thread replaces, and what they want of it: room, and
/// one record in a request.
final class SharedProducer: Sendable {
    /// What a delivery may do now.
    enum Admission {
        case send(Producer)
        /// Between two producers, or before the first contact.
        case wait
        /// Nothing can be delivered.
        case refuse(Outcome)
    }

    private struct State {
        var producer: Producer?
        /// Why the last producer had to be replaced.
        var lastFailure: String?
        /// When a batch, all of which goes to a topic, was delivered at least in part.
        var deliveries: [String: ContinuousClock.Instant] = [:]
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
    /// Where deliveries and the thread meet. librdkafka's own call wakes the thread.
    let mailbox = ThreadMailbox<BatchReports, TransportHealth>(
        starting: .starting, ended: .closed, usesPipe: false)

    // MARK: Deliveries

    /// Ends a delivery.
    func remove(_ reports: BatchReports) {
        if let topic = reports.fixedTopic, reports.hasDelivered {
            self.state.withLock { $0.deliveries[topic] = .now }
        }
        self.mailbox.remove(reports)
        // It may have been called, and have made nothing of it.
        self.passRoomOn(from: reports)
    }

    /// What a delivery may do now.
    func admission(isSuspicious: Bool) -> Admission {
        let health = self.mailbox.status
        if health == .closed { return .refuse(.unavailable("the transport is closed")) }
        if let reason = health.downReason { return .refuse(.unavailable(reason)) }
        return self.state.withLock { state in
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
        self.state.withLock { $0.suspicious += 1 }
        self.mailbox.wakeThread()
    }

    /// A delivery knows which of its records were to blame.
    ///
    /// - Parameter hasFound: Whether there was one, rather than the request having been too large as a whole.
    func clear(hasFound: Bool) {
        self.state.withLock { state in
            state.suspicious -= 1
            if !hasFound { state.oversizedRequests += 1 }
        }
        self.mailbox.wakeThread()
    }

    // MARK: The thread

    /// Whether a producer that has one record in a request is needed.
    var isSuspicious: Bool { self.state.withLock { $0.suspicious > 0 } }

    /// In how many batches a request was refused, and no record of it alone.
    var oversizedRequests: Int { self.state.withLock(\.oversizedRequests) }

    /// Why the last producer had to be replaced; nil: there was no reason.
    var lastFailure: String? { self.state.withLock(\.lastFailure) }

    /// Notes why a producer has to be replaced.
    func note(failure: String) { self.state.withLock { $0.lastFailure = failure } }

    /// Whether a record of a batch, all of which goes to that topic, was delivered since then.
    func hasDelivered(to topic: String, since instant: ContinuousClock.Instant) -> Bool {
        // In this order: a batch that ends meanwhile is noted before it is removed.
        if self.mailbox.jobs.contains(where: { $0.fixedTopic == topic && $0.hasDelivered }) { return true }
        return self.state.withLock { $0.deliveries[topic] }.map { $0 >= instant } ?? false
    }

    /// From now on records go to that producer; nil: they wait.
    func offer(_ producer: Producer?) {
        if let producer {
            self.mailbox.wake { producer.wakeThread() }
        } else {
            self.mailbox.wake(by: nil)
        }
        self.state.withLock { $0.producer = producer }
        if producer == nil { return }
        for reports in self.mailbox.jobs { reports.call() }
    }

    /// Says how the transport is. When it is down, everything under way is unavailable, once its producer has ended.
    func report(_ health: TransportHealth) {
        if !self.mailbox.report(health) { return }
        for reports in self.mailbox.jobs {
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
        self.mailbox.jobs.filter { $0.isStalled(since: instant) }
    }
}

extension TransportHealth {
    /// Why it is down; nil: it is not.
    var downReason: String? {
        guard let reason = self.reason, self == .down(reason) else { return nil }
        return reason
    }
}
