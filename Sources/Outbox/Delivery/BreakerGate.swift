import DequeModule
import Synchronization

/// A destination's breaker, and the workers that wait for its permission to call the handler.
final class BreakerGate: Sendable {
    private struct State {
        var breaker: Breaker
        var random: any RandomNumberGenerator & Sendable
        var waiting: Deque<CheckedContinuation<Breaker.Pass?, Never>> = []
        var hasEnded = false
        /// Events that were not reported yet, and whether a caller is reporting them now.
        var untold: Deque<Breaker.Change> = []
        var isTelling = false

        /// - Returns: nil: there is nothing, or another caller is reporting it.
        mutating func takeUntold() -> Breaker.Change? {
            if self.isTelling { return nil }
            guard let change = self.untold.popFirst() else { return nil }
            self.isTelling = true
            return change
        }
    }

    private let state: Mutex<State>
    private let observer: DeliveryObserver
    private let onChange: @Sendable () -> Void
    private let clock = ContinuousClock()
    /// What can be known of `state` without a lock.
    private let bar = Atomic(false)
    private let isQuiet = Atomic(true)

    /// - Parameter onChange: Called when ``probe(now:)`` or ``isProbing`` has something else to say.
    init(
        policy: BreakerPolicy, random: any RandomNumberGenerator & Sendable, observer: DeliveryObserver,
        onChange: @escaping @Sendable () -> Void
    ) {
        self.state = Mutex(State(breaker: Breaker(policy: policy), random: random))
        self.observer = observer
        self.onChange = onChange
        observer.noteWhetherDown()
    }

    /// Whether ``pass()`` has to be asked before the handler is called.
    var isBarred: Bool { self.bar.load(ordering: .acquiring) }

    /// Whether the destination counts as down.
    var isOpen: Bool {
        self.isBarred && self.state.withLock { $0.breaker.isOpen }
    }

    /// Whether a probe is under way.
    var isProbing: Bool {
        self.isBarred && self.state.withLock { $0.breaker.isProbing }
    }

    /// Waits until the handler may be called.
    ///
    /// - Returns: nil: it is over, nothing more is to be delivered.
    func pass() async -> Breaker.Pass? {
        if !self.isBarred { return .call }
        let pass = await withCheckedContinuation { continuation in
            let answer: Breaker.Pass?? = self.state.withLock { state in
                if state.hasEnded { return .some(nil) }
                if let pass = state.breaker.begin(now: self.clock.now) { return .some(pass) }
                state.waiting.append(continuation)
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
        if case .probe = pass { self.onChange() }
        return pass
    }

    /// Lets one waiting worker probe, if it is time. The one that has waited longest is first, so the probes go round.
    ///
    /// - Returns: When to call again; nil: after the next change.
    func probe(now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        if !self.isBarred { return nil }
        typealias Prober = (continuation: CheckedContinuation<Breaker.Pass?, Never>, pass: Breaker.Pass)
        let (prober, next) = self.state.withLock { state -> (Prober?, ContinuousClock.Instant?) in
            guard let probeAt = state.breaker.probeAt else { return (nil, nil) }
            if now < probeAt { return (nil, probeAt) }
            // If no worker waits, the next one to ask is the probe.
            if state.waiting.isEmpty { return (nil, nil) }
            guard let pass = state.breaker.begin(now: now) else { return (nil, nil) }
            return ((state.waiting.removeFirst(), pass), nil)
        }
        if let prober { prober.continuation.resume(returning: prober.pass) }
        return next
    }

    /// Decides what to do with a message that the handler was called with.
    func report(
        _ attempt: @autoclosure () -> Breaker.Attempt, _ outcome: Outcome, _ pass: Breaker.Pass
    ) -> Breaker.Verdict {
        guard let result = Breaker.Result(outcome, isProbe: pass != .call) else { return .settle }
        if result == .delivered, pass == .call, self.isQuiet.load(ordering: .relaxed) { return .settle }
        let attempt = attempt()
        return self.update { state in
            state.breaker.report(attempt, result, pass: pass, now: self.clock.now, random: &state.random)
        }
    }

    /// A handler that was called with that pass takes long.
    func takesLong(_ pass: Breaker.Pass) {
        if pass == .call { return }
        self.update { state in
            ((), state.breaker.takesLong(pass, now: self.clock.now, random: &state.random))
        }
    }

    private func update<Verdict>(_ body: (inout State) -> (verdict: Verdict, change: Breaker.Change?)) -> Verdict {
        let (verdict, change, released) = self.state.withLock { state in
            let (verdict, change) = body(&state)
            self.isQuiet.store(state.breaker.isQuiet, ordering: .relaxed)
            var released: Deque<CheckedContinuation<Breaker.Pass?, Never>> = []
            switch change {
            case .opened: self.bar.store(true, ordering: .releasing)
            case .closed:
                self.bar.store(state.hasEnded, ordering: .releasing)
                swap(&released, &state.waiting)
            case .reopened, nil: break
            }
            if let change { state.untold.append(change) }
            return (verdict, change, released)
        }
        for waiter in released { waiter.resume(returning: .call) }
        if change != nil {
            self.tell()
            self.onChange()
        }
        return verdict
    }

    /// Reports changes to the observer: in order, and outside the lock, because its log may be slow.
    private func tell() {
        while let change = self.state.withLock({ $0.takeUntold() }) {
            switch change {
            case .opened(let reason, let delay): self.observer.opened(reason: reason, retryAfter: delay)
            case .reopened(let reason?, let delay): self.observer.stillDown(reason: reason, retryAfter: delay)
            case .reopened(nil, _): break
            case .closed: self.observer.closed()
            }
            self.state.withLock { $0.isTelling = false }
        }
    }

    /// Ends the waiting for good.
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
    fileprivate init?(_ outcome: Outcome, isProbe: Bool) {
        switch outcome.kind {
        case .behind where isProbe: self = .failed("a message was behind an earlier one, but it was alone")
        case .behind: return nil
        // It says nothing of the destination's other parts: another probe has to find out.
        case .postponed where isProbe: self = .rejected
        case .postponed: return nil
        case .delivered: self = .delivered
        case .rejected: self = .rejected
        case .retry(_, let reason): self = .failed(reason)
        case .unavailable(let reason): self = .unavailable(reason)
        }
    }
}
