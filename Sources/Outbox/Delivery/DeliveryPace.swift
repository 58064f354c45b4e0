import Synchronization

/// Spreads what a destination is given over time, however many streams and lanes it has in this relay.
final class DeliveryPace: Sendable {
    private struct Waiter {
        let dispatcher: ObjectIdentifier
        let count: Int
        let continuation: CheckedContinuation<Bool, Never>
        /// Ends the wait when it is time.
        var timer: Task<Void, Never>?
    }

    private struct State {
        var schedule: RateSchedule
        var waiting: [Int: Waiter] = [:]
        var lastNumber = 0
    }

    /// How many messages are handed over at once at most.
    let mostAtOnce: Int
    private let clock = ContinuousClock()
    private let state: Mutex<State>

    /// - Parameter rate: Messages a second.
    init(_ rate: Double) {
        let schedule = RateSchedule(rate, now: self.clock.now)
        self.mostAtOnce = schedule.mostAtOnce
        self.state = Mutex(State(schedule: schedule))
    }

    /// Waits until so many messages may be handed over.
    ///
    /// - Returns: false: the dispatcher was given up or the task cancelled, nothing is to be handed over.
    func wait(for count: Int, by dispatcher: Dispatcher) async -> Bool {
        let now = self.clock.now
        let (start, number) = self.state.withLock { state in
            state.lastNumber += 1
            return (state.schedule.reserve(count, now: now), state.lastNumber)
        }
        if start <= now { return true }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isWaiting = self.state.withLock { state in
                    if Task.isCancelled || dispatcher.isAbandoned {
                        state.schedule.giveBack(count)
                        return false
                    }
                    state.waiting[number] = Waiter(
                        dispatcher: ObjectIdentifier(dispatcher), count: count, continuation: continuation)
                    return true
                }
                if isWaiting { self.startTimer(number, start) } else { continuation.resume(returning: false) }
            }
        } onCancel: {
            self.dismiss { key, _ in key == number }
        }
    }

    private func startTimer(_ number: Int, _ end: ContinuousClock.Instant) {
        let timer = Task {
            do { try await self.clock.sleep(until: end) } catch { return }
            self.state.withLock { $0.waiting.removeValue(forKey: number) }?.continuation.resume(returning: true)
        }
        let isNeeded = self.state.withLock { state in
            state.waiting[number]?.timer = timer
            return state.waiting[number] != nil
        }
        if !isNeeded { timer.cancel() }
    }

    /// So many messages were not there to be handed over after all.
    func giveBack(_ count: Int) {
        if count > 0 { self.state.withLock { $0.schedule.giveBack(count) } }
    }

    /// Lets calls of a dispatcher that was given up wait no more.
    func dismiss(_ dispatcher: Dispatcher) {
        let id = ObjectIdentifier(dispatcher)
        self.dismiss { _, waiter in waiter.dispatcher == id }
    }

    private func dismiss(_ isDismissed: (Int, Waiter) -> Bool) {
        let dismissed = self.state.withLock { state in
            let dismissed = state.waiting.filter { isDismissed($0.key, $0.value) }
            for (number, waiter) in dismissed {
                state.waiting[number] = nil
                state.schedule.giveBack(waiter.count)
            }
            return dismissed
        }
        for waiter in dismissed.values {
            waiter.timer?.cancel()
            waiter.continuation.resume(returning: false)
        }
    }
}
