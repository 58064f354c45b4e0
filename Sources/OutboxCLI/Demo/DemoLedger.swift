import Outbox
import OutboxRuntime
import Synchronization

/// What the demonstration has seen: what the application committed and rolled back, and what the relay did with it.
final class DemoLedger: Sendable {
    /// What is counted for a destination.
    struct Counts: Sendable {
        var enqueued = 0
        var rolledBack = 0
        var delivered = 0
        var retried = 0
        var dead = 0

        static func + (left: Counts, right: Counts) -> Counts {
            Counts(
                enqueued: left.enqueued + right.enqueued, rolledBack: left.rolledBack + right.rolledBack,
                delivered: left.delivered + right.delivered, retried: left.retried + right.retried,
                dead: left.dead + right.dead)
        }
    }

    /// A message that the application has enqueued, in a transaction that ended one way or the other.
    struct Sent: Sendable {
        let id: Int64
        let destination: Destination
    }

    /// Something worth telling.
    struct Note: Sendable {
        let text: String
        /// Whether it must not go under among others.
        var isImportant = false
    }

    /// The state of things at a moment.
    struct Snapshot: Sendable {
        var counts: [Destination: Counts] = [:]
        var transactions = 0
        var rollbacks = 0
        var delivered: Set<Int64> = []
        var again = 0
        /// What a broker has had, and how often something was there already.
        var arrived: Set<Int64> = []
        var arrivedAgain = 0
        var rolledBack: Set<Int64> = []
        var outOfOrder = 0
        /// From the commit's sending to the handler's first call.
        var latencies: [Destination: [Duration]] = [:]
        var recent: [Note] = []
        var notes = 0
    }

    private struct State {
        var snapshot = Snapshot()
        var commitBegan: [Int64: ContinuousClock.Instant] = [:]
        var handled: [Int64: ContinuousClock.Instant] = [:]
        var lastNumber: [String: Int] = [:]
    }

    private let state = Mutex(State())
    private let clock = ContinuousClock()

    var snapshot: Snapshot { self.state.withLock { $0.snapshot } }

    /// A transaction has committed.
    ///
    /// - Parameter began: When the commit was sent.
    func committed(_ messages: [Sent], began: ContinuousClock.Instant) {
        self.state.withLock { state in
            state.snapshot.transactions += 1
            for message in messages {
                state.snapshot.counts[message.destination, default: Counts()].enqueued += 1
                if let handled = state.handled.removeValue(forKey: message.id) {
                    state.snapshot.latencies[message.destination, default: []].append(handled - began)
                } else {
                    state.commitBegan[message.id] = began
                }
            }
        }
    }

    /// A transaction was rolled back, and its messages with it.
    func rolledBack(_ messages: [Sent]) {
        self.state.withLock { state in
            state.snapshot.rollbacks += 1
            for message in messages {
                state.snapshot.counts[message.destination, default: Counts()].rolledBack += 1
                state.snapshot.rolledBack.insert(message.id)
            }
        }
    }

    /// A message has reached its other side.
    func reached(_ id: Int64, _ destination: Destination, isFirstAttempt: Bool) {
        let now = self.clock.now
        self.state.withLock { state in
            if let began = state.commitBegan.removeValue(forKey: id) {
                state.snapshot.latencies[destination, default: []].append(now - began)
            } else if isFirstAttempt {
                // The commit's own reply is still on its way to the application.
                state.handled[id] = now
            }
        }
    }

    /// The other side takes a message; `number` counts those of its key and destination.
    func taken(_ destination: Destination, key: String?, number: Int) {
        let lane = "\(destination)/\(key ?? "")"
        self.state.withLock { state in
            if number <= state.lastNumber[lane] ?? 0 { state.snapshot.outOfOrder += 1 }
            state.lastNumber[lane] = max(number, state.lastNumber[lane] ?? 0)
        }
    }

    /// A broker has a message.
    ///
    /// - Returns: Whether it had not been there before.
    func arrived(_ id: Int64) -> Bool {
        self.state.withLock { state in
            let isNew = state.snapshot.arrived.insert(id).inserted
            if !isNew { state.snapshot.arrivedAgain += 1 }
            return isNew
        }
    }

    /// The relay tells what it did.
    func saw(_ event: RelayEvent) {
        self.state.withLock { state in
            switch event {
            case .delivered(let id, let destination, _):
                state.snapshot.counts[destination, default: Counts()].delivered += 1
                if !state.snapshot.delivered.insert(id).inserted { state.snapshot.again += 1 }
            case .retried(let id, let destination, let attempts, let delay, let error):
                state.snapshot.counts[destination, default: Counts()].retried += 1
                let next = delay.map { ", again in \($0.short)" } ?? ""
                state.snapshot.note("\(destination) #\(id): attempt \(attempts) failed: \(error)\(next)")
            case .deadLettered(let id, let destination, let attempts, _, let error):
                state.snapshot.counts[destination, default: Counts()].dead += 1
                state.snapshot.note(
                    "\(destination) #\(id): dead letter after \(attempts) attempts: \(error)", isImportant: true)
            case .parked(let id, let destination): state.snapshot.note("\(destination) #\(id) takes long: others pass")
            case .opened(let destination, let reason, _):
                state.snapshot.note("\(destination) is down: \(reason)", isImportant: true)
            case .stillDown(let destination, let reason, _):
                state.snapshot.note("\(destination) is still down: \(reason)", isImportant: true)
            case .closed(let destination): state.snapshot.note("\(destination) is up again", isImportant: true)
            case .disconnected(let reason, _): state.snapshot.note("relay disconnected: \(reason)")
            case .standby: state.snapshot.note("relay waits: another one works")
            case .started: state.snapshot.note("relay delivers")
            case .stopped: state.snapshot.note("relay ended")
            }
        }
    }
}

extension DemoLedger.Snapshot {
    /// All destinations together.
    var total: DemoLedger.Counts {
        self.counts.values.reduce(DemoLedger.Counts(), +)
    }

    /// The notes made since the first `count`, as far as they are kept.
    func notes(since count: Int) -> ArraySlice<DemoLedger.Note> {
        self.recent.suffix(min(max(self.notes - count, 0), self.recent.count))
    }

    fileprivate mutating func note(_ text: String, isImportant: Bool = false) {
        self.notes += 1
        self.recent.append(DemoLedger.Note(text: text, isImportant: isImportant))
        if self.recent.count > 200 { self.recent.removeFirst(100) }
    }
}
