import DequeModule
import OutboxRuntime
import Synchronization

/// The calls of handlers while the relay is careful: one at a time, of all streams, each after the relay has noted its message.
///
/// A worker asks for its turn when there is nothing else to wait for: the breaker is closed or lets it probe, and the
/// transport has contact. See ``CrashWatch``.
package final class WatchedCalls: Sendable {
    struct Call: Sendable, Hashable {
        let stream: StreamID
        let id: Int64
        /// The number of the message's page.
        let page: Int
    }

    private struct State {
        var waiting: Deque<(call: Call, answer: CheckedContinuation<Bool, Never>)> = []
        /// The call that is under way.
        var current: Call?
        /// A call that has found its destination down.
        var fruitless: Call?
        /// Whether calls begin as they come.
        var isFree = false
        /// Streams whose calls wait nevertheless.
        var kept: Set<StreamID> = []
        /// Whether only calls that are free to begin do so.
        var isClosed = false

        /// The immediate answer to a call; nil: it waits.
        func verdict(_ call: Call) -> Bool? {
            if self.isFree, !self.kept.contains(call.stream) { return true }
            return self.isClosed ? false : nil
        }
    }

    private let state = Mutex(State())
    /// Opened when there is such an answer.
    private let decided = Latch()
    private let onChange: @Sendable () -> Void

    /// - Parameter onChange: Called, from any thread, when the relay has something to do here.
    init(onChange: @escaping @Sendable () -> Void) {
        self.onChange = onChange
    }

    // MARK: Workers

    /// Waits until a transport knows whether its other side can be reached.
    ///
    /// - Returns: nil: there is nothing to wait for any more.
    func contact(with transport: any Transport) async -> TransportHealth? {
        await withTaskGroup(of: TransportHealth?.self) { group in
            group.addTask { await transport.contact() }
            group.addTask {
                await self.decided.wait()
                return nil
            }
            let health = await group.next() ?? nil
            group.cancelAll()
            return Task.isCancelled || self.decided.isOpen ? nil : health
        }
    }

    /// Waits until the handler may be called.
    ///
    /// - Returns: false: it is over, the handler is not to be called.
    func begin(_ call: Call) async -> Bool {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer = self.state.withLock { state -> Bool? in
                    if Task.isCancelled { return false }
                    let verdict = state.verdict(call)
                    if verdict == nil { state.waiting.append((call, continuation)) }
                    return verdict
                }
                if let answer { continuation.resume(returning: answer) } else { self.onChange() }
            }
        } onCancel: {
            self.refuse(call)
        }
    }

    /// A call has ended, if it had begun.
    ///
    /// - Parameter isHeld: Whether the message waits for its destination to be up.
    func end(_ call: Call, isHeld: Bool) {
        let isNews = self.state.withLock { state in
            guard state.current == call else { return false }
            state.current = nil
            if isHeld { state.fruitless = call }
            return true
        }
        if isNews { self.onChange() }
    }

    // MARK: The relay

    /// Whether a call is under way.
    var isUnderWay: Bool { self.state.withLock { $0.current != nil } }

    /// The call that may begin next, if none is under way, of all streams but some.
    func next(except streams: Set<StreamID>) -> Call? {
        self.state.withLock { state in
            state.current == nil ? state.waiting.first { !streams.contains($0.call.stream) }?.call : nil
        }
    }

    /// The streams whose calls wait for their turn.
    var waitingStreams: Set<StreamID> { self.state.withLock { Set($0.waiting.map(\.call.stream)) } }

    /// Lets a call begin, unless its worker does not wait any more.
    func grant(_ call: Call) {
        let answer = self.state.withLock { state -> CheckedContinuation<Bool, Never>? in
            guard let index = state.waiting.firstIndex(where: { $0.call == call }) else { return nil }
            state.current = call
            return state.waiting.remove(at: index).answer
        }
        answer?.resume(returning: true)
    }

    /// Ends the wait of calls of a stream that is not delivered any more.
    func forget(_ stream: StreamID) {
        let answers = self.state.withLock { state in
            state.kept.remove(stream)
            let gone = state.waiting.filter { $0.call.stream == stream }
            state.waiting.removeAll { $0.call.stream == stream }
            return gone.map(\.answer)
        }
        for answer in answers { answer.resume(returning: false) }
    }

    /// Ends the wait of a call, which is not to begin.
    func refuse(_ call: Call) {
        let answer = self.state.withLock { state in
            state.waiting.firstIndex { $0.call == call }.map { state.waiting.remove(at: $0).answer }
        }
        answer?.resume(returning: false)
    }

    /// Takes the call that has found its destination down.
    func takeFruitless() -> Call? {
        self.state.withLock { state in
            defer { state.fruitless = nil }
            return state.fruitless
        }
    }

    /// From now on calls begin as they come, but for those of some streams.
    func free(except streams: Set<StreamID>) {
        self.change { state in
            state.isFree = true
            state.kept = streams
        }
    }

    /// From now on calls of a stream begin as those of others.
    func free(_ stream: StreamID) {
        self.change { $0.kept.remove(stream) }
    }

    /// From now on no call begins that does not begin as it comes.
    func close() { self.change { $0.isClosed = true } }

    private func change(_ change: (inout State) -> Void) {
        var answers: [(answer: CheckedContinuation<Bool, Never>, verdict: Bool)] = []
        let isDecided = self.state.withLock { state in
            change(&state)
            let waiting = state.waiting
            state.waiting.removeAll()
            for waiter in waiting {
                if let verdict = state.verdict(waiter.call) {
                    answers.append((waiter.answer, verdict))
                } else {
                    state.waiting.append(waiter)
                }
            }
            return state.isFree || state.isClosed
        }
        if isDecided { self.decided.open() }
        for (answer, verdict) in answers { answer.resume(returning: verdict) }
    }
}
