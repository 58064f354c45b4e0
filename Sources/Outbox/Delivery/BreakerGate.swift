import DequeModule
import Synchronization

/// A destination's breaker, and those who wait for it to let them call the handler.
final class BreakerGate: Sendable {
    private struct State {
        var breaker: Breaker
        var random: any RandomNumberGenerator & Sendable
        var waiting: Deque<CheckedContinuation<Breaker.Pass?, Never>> = []
        var hasEnded = false
    }

    private let state: Mutex<State>
    private let observer: DeliveryObserver
    private let onChange: @Sendable () -> Void
    private let clock = ContinuousClock()
    /// What can be known of `state` without a lock.
    private let bar = Atomic(false)
    private let isQuiet = Atomic(true)

    /// - Parameter onChange: Called when ``probe(now:)`` has something else to say.
    init(
        policy: BreakerPolicy, random: any RandomNumberGenerator & Sendable, observer: DeliveryObserver,
        onChange: @escaping @Sendable () -> Void
    ) {
        self.state = Mutex(State(breaker: Breaker(policy: policy), random: random))
        self.observer = observer
        self.onChange = onChange
        observer.breaker(isOpen: false)
    }

    /// Whether ``pass()`` has to be asked before the handler is called.
    var isBarred: Bool { self.bar.load(ordering: .acquiring) }

    /// Whether the destination counts as down.
    var isOpen: Bool {
        self.isBarred && self.state.withLock { $0.breaker.isOpen }
    }

    /// Waits until the handler may be called.
    ///
    /// - Returns: nil: it is over, nothing more is to be delivered.
    func pass() async -> Breaker.Pass? {
        if !self.isBarred { return .call }
        return await withCheckedContinuation { continuation in
            let answer: Breaker.Pass?? = self.state.withLock { state in
                if state.hasEnded { return .some(nil) }
                if let pass = state.breaker.begin(now: self.clock.now) { return .some(pass) }
                state.waiting.append(continuation)
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    /// Lets one of those who wait probe, if it is time. Who has waited longest is the first, so the probes go round.
    ///
    /// - Returns: When to call again; nil: after the next change.
    func probe(now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        if !self.isBarred { return nil }
        let (prober, next) = self.state.withLock { state in
            guard let probeAt = state.breaker.probeAt else {
                return (CheckedContinuation<Breaker.Pass?, Never>?.none, ContinuousClock.Instant?.none)
            }
            if now < probeAt { return (nil, probeAt) }
            // If nobody waits, whoever comes next is the probe.
            guard let prober = state.waiting.popFirst() else { return (nil, nil) }
            _ = state.breaker.begin(now: now)
            return (prober, nil)
        }
        prober?.resume(returning: .probe)
        return next
    }

    /// Decides what to do with a message that the handler was called with.
    func report(
        _ attempt: @autoclosure () -> Breaker.Attempt, _ outcome: Outcome, _ pass: Breaker.Pass
    ) -> Breaker.Verdict {
        guard let result = Breaker.Result(outcome) else { return .settle }
        if result == .delivered, pass == .call, self.isQuiet.load(ordering: .relaxed) { return .settle }
        let attempt = attempt()
        let (verdict, change, released) = self.state.withLock { state in
            let (verdict, change) = state.breaker.report(
                attempt, result, pass: pass, now: self.clock.now, random: &state.random)
            self.isQuiet.store(state.breaker.isQuiet, ordering: .relaxed)
            var released: Deque<CheckedContinuation<Breaker.Pass?, Never>> = []
            switch change {
            case .opened(let reason, let delay):
                self.bar.store(true, ordering: .releasing)
                self.observer.opened(reason: reason, retryAfter: delay)
            case .closed:
                self.bar.store(state.hasEnded, ordering: .releasing)
                self.observer.closed()
                swap(&released, &state.waiting)
            case .reopened, nil:
                break
            }
            return (verdict, change, released)
        }
        for waiter in released { waiter.resume(returning: .call) }
        if change != nil { self.onChange() }
        return verdict
    }

    /// Ends the waiting, now and for ever.
    func end() {
        let waiting = self.state.withLock { state in
            state.hasEnded = true
            self.bar.store(true, ordering: .releasing)
            defer { state.waiting.removeAll() }
            return state.waiting
        }
        for waiter in waiting { waiter.resume(returning: nil) }
    }
}

extension Breaker.Result {
    /// - Returns: nil: the outcome says nothing of the destination, nor of the message.
    fileprivate init?(_ outcome: Outcome) {
        switch outcome.kind {
        case .behind: return nil
        case .delivered: self = .delivered
        case .rejected: self = .rejected
        case .retry(_, let reason): self = .failed(reason)
        case .unavailable(let reason): self = .unavailable(reason)
        }
    }
}
