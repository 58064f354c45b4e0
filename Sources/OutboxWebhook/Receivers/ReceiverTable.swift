import Synchronization

/// The receivers that messages are on their way to, or that something is known of; shared by all batches.
final class ReceiverTable: Sendable {
    private struct State {
        var receivers: [String: Receiver] = [:]
        var gone = GoneEndpoints()
        /// How many probes hold a slot.
        var slotsInUse = 0
        var lastProbe = 0
        /// How many receivers are down.
        var down = 0
        /// How many receivers may be known before those are dropped of which nothing is worth knowing.
        var limit = 1024
    }

    /// How many receivers that were down several times in a row are probed at the same time: each may be silent for as long as a request
    /// may take, and holds up its batch. A share of those that are down, so that the silent ones do not keep those that are back from being
    /// found.
    private static func probeSlots(down: Int) -> Int { max(2, (down + 3) / 4) }

    private let policy: Receiver.Policy
    private let state = Mutex(State())

    init(_ policy: Receiver.Policy) { self.policy = policy }

    /// Hands a message over to the client, if its receiver may be sent one.
    ///
    /// - Returns: What is kept as long as the message is with the client; or why and how long the message has to wait.
    func begin(_ origin: String, at now: ContinuousClock.Instant) -> Result<Ticket, Wait> {
        self.state.withLock { state in
            Self.tidy(&state, at: now)
            var receiver = state.receivers[origin] ?? Receiver(self.policy)
            var probe: Int?
            var holdsSlot = false
            switch receiver.admission(at: now) {
            case .wait(let pause, let reason): return .failure(Wait(pause: pause, reason: reason))
            case .pass: break
            case .probe:
                holdsSlot = receiver.needsProbeSlot
                if holdsSlot, state.slotsInUse >= Self.probeSlots(down: state.down) {
                    return .failure(Wait(pause: receiver.waitWhileDown, reason: receiver.reason))
                }
                if holdsSlot { state.slotsInUse += 1 }
                state.lastProbe += 1
                probe = state.lastProbe
            }
            receiver.begin(probe: probe, at: now)
            state.receivers[origin] = receiver
            return .success(
                Ticket(table: self, origin: origin, probe: probe, holdsSlot: holdsSlot, handedOver: now))
        }
    }

    struct Wait: Error, Hashable {
        let pause: Duration
        let reason: String
    }

    /// Changes what is known of a receiver.
    func update<Value>(_ origin: String, _ body: (inout Receiver) -> Value) -> Value {
        self.state.withLock { state in
            let wasDown = state.receivers[origin]?.isDown ?? false
            let value = body(&state.receivers[origin, default: Receiver(self.policy)])
            let isDown = state.receivers[origin]?.isDown ?? false
            if isDown != wasDown { state.down += isDown ? 1 : -1 }
            return value
        }
    }

    /// The addresses that are gone.
    func withGone<Value>(_ body: (inout GoneEndpoints) -> Value) -> Value { self.state.withLock { body(&$0.gone) } }

    /// A message was delivered, to a receiver that was not down, while no address was gone: there is nothing else to be done.
    ///
    /// - Returns: Whether it was so; if not, nothing has changed.
    func noteDelivery(to origin: String) -> Bool {
        self.state.withLock { state in
            guard state.gone.isEmpty, let receiver = state.receivers[origin], !receiver.isDown else { return false }
            // Of most receivers there is nothing to be forgotten.
            if !receiver.isSound { _ = state.receivers[origin]?.succeed() }
            return true
        }
    }

    /// Whether a receiver is down, and why.
    func outage(of origin: String) -> String? {
        self.state.withLock { state in
            state.receivers[origin].flatMap { $0.isDown ? $0.reason : nil }
        }
    }

    private static func tidy(_ state: inout State, at now: ContinuousClock.Instant) {
        guard state.receivers.count >= state.limit else { return }
        state.receivers = state.receivers.filter { !$0.value.isForgettable(at: now) }
        state.down = state.receivers.values.count { $0.isDown }
        state.limit = max(1024, 2 * state.receivers.count)
    }

    /// A message that is with the client. When it is let go, the message is back.
    final class Ticket: Sendable {
        private let table: ReceiverTable
        private let origin: String
        private let probe: Int?
        /// Whether the probe is one of the few at a time.
        private let holdsSlot: Bool
        private let handedOver: ContinuousClock.Instant

        fileprivate init(
            table: ReceiverTable, origin: String, probe: Int?, holdsSlot: Bool, handedOver: ContinuousClock.Instant
        ) {
            self.table = table
            self.origin = origin
            self.probe = probe
            self.holdsSlot = holdsSlot
            self.handedOver = handedOver
        }

        /// Why the message must not be sent now that it is its turn; nil: it may.
        func refusal(at now: ContinuousClock.Instant) -> String? {
            self.table.update(self.origin) { $0.refusal(probe: self.probe, handedOver: self.handedOver, at: now) }
        }

        deinit {
            let (origin, probe, holdsSlot) = (self.origin, self.probe, self.holdsSlot)
            self.table.state.withLock { state in
                if holdsSlot { state.slotsInUse -= 1 }
                state.receivers[origin]?.end(probe: probe, at: .now)
            }
        }
    }
}
