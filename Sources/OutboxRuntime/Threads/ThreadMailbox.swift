import Synchronization

/// What a ``ThreadMailbox`` does with a job when nothing more will come of it.
package protocol MailboxJob: AnyObject, Sendable {
    /// Lets the task go that waits for the job; from any thread, and maybe after the job is done.
    func end(_ reason: MailboxEnd)
}

/// Why a mailbox takes and finishes nothing more.
package enum MailboxEnd: Sendable, Hashable {
    /// It was closed, and what was under way is finished.
    case closed
    /// The task of its run was cancelled.
    case cancelled
}

/// Why a mailbox has not run.
package enum MailboxError: Error, CustomStringConvertible {
    case runsOnce
    case noThread
    case noDescriptor

    package var description: String {
        switch self {
        case .runsOnce: "a transport runs once"
        case .noThread: "the system has no thread left for a transport"
        case .noDescriptor: "no file descriptor is left for a transport"
        }
    }
}

/// Where the tasks that use a C library meet the thread that the library runs on: jobs and orders go in, the status comes out, and
/// the thread is woken when it sleeps.
///
/// It runs once. ``close()`` lets the thread finish what is under way; cancelling the task of ``run(_:)`` lets every job go at once and
/// does not wait for a call that cannot be interrupted.
package final class ThreadMailbox<Job: MailboxJob, Status: Sendable>: Sendable {
    /// What the thread is to do.
    package enum Order: Sendable {
        case work
        /// Finish what is under way, then end.
        case close
        /// Drop everything, and end.
        case cancel
    }

    private struct State {
        var order = Order.work
        var hasRun = false
        /// Whether there is no thread, nor will be.
        var hasEnded = false
        var status: Status
        /// All that is waited for, so that it can be let go whatever the thread is doing.
        var jobs: [ObjectIdentifier: Job] = [:]
        /// Those that the thread has not taken yet.
        var arrivals: [Job] = []
        /// The thread watches the pipe, or is about to, and nothing was written since.
        var isAsleep = false
        var waker: (@Sendable () -> Void)?
        var interruption: (@Sendable () -> Void)?
        var runner: CheckedContinuation<Void, Never>?
    }

    private let state: Mutex<State>
    /// nil: there is no descriptor left, or none is used.
    private let pipe: SharedPipe?
    private let usesPipe: Bool
    private let endStatus: Status
    private let ended = Latch()
    /// Opened by the first report, and when none will come.
    private let known = Latch()

    /// - Parameters:
    ///   - starting: The status until the thread reports one.
    ///   - ended: The status from the end on.
    ///   - usesPipe: Whether the thread waits in ``sleep(after:_:)``. Otherwise it is woken by what it gives ``wake(by:)``.
    package init(starting: Status, ended: Status, usesPipe: Bool = true) {
        self.state = Mutex(State(status: starting))
        self.endStatus = ended
        self.usesPipe = usesPipe
        self.pipe = usesPipe ? SharedPipe() : nil
    }

    package var status: Status { self.state.withLock(\.status) }

    package var order: Order { self.state.withLock(\.order) }

    // MARK: Tasks

    /// Waits for the first report, or the end.
    package func firstStatus() async -> Status {
        await self.known.wait()
        return self.status
    }

    /// Runs the thread, and waits until it has ended. Returns as well when the task is cancelled: at once if the thread cannot be
    /// interrupted, see ``interrupt(by:)``, else when it has ended.
    ///
    /// - Parameter body: What the thread does; ``end()`` comes last.
    package func run(_ body: @escaping @Sendable () -> Void) async throws(MailboxError) {
        let (hasRun, hasEnded) = self.state.withLock { state in
            defer { state.hasRun = true }
            return (state.hasRun, state.hasEnded)
        }
        if hasRun { throw .runsOnce }
        if hasEnded { return }
        if self.usesPipe, self.pipe == nil {
            self.end()
            throw .noDescriptor
        }
        guard DedicatedThread.start(body) else {
            self.end()
            throw .noThread
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let mustWait = self.state.withLock { state in
                    if state.hasEnded || Self.isAbandoned(state) { return false }
                    state.runner = continuation
                    return true
                }
                if !mustWait { continuation.resume() }
            }
        } onCancel: {
            self.cancel()
        }
    }

    private static func isAbandoned(_ state: State) -> Bool {
        state.order == .cancel && state.interruption == nil
    }

    private func cancel() {
        let (jobs, runner, wake) = self.state.withLock { state in
            state.order = .cancel
            state.status = self.endStatus
            // Under the lock, so that what it interrupts is still there.
            state.interruption?()
            var runner: CheckedContinuation<Void, Never>?
            if Self.isAbandoned(state) { swap(&runner, &state.runner) }
            return (Array(state.jobs.values), runner, self.wake(&state))
        }
        wake?()
        for job in jobs { job.end(.cancelled) }
        self.known.open()
        runner?.resume()
    }

    /// Lets the thread finish what is under way, and waits until it has ended. Before it runs, there is no run any more.
    package func close() async {
        let (wake, hasEnded) = self.state.withLock { state in
            if state.order == .work { state.order = .close }
            if !state.hasRun {
                state.hasEnded = true
                state.status = self.endStatus
            }
            return (self.wake(&state), state.hasEnded)
        }
        wake?()
        self.known.open()
        if hasEnded { self.endAll() }
        await self.ended.wait()
    }

    /// Keeps a job until it is removed, so that it is ended with everything else.
    ///
    /// - Returns: nil: it is kept; else why not.
    package func add(_ job: Job) -> MailboxEnd? {
        self.state.withLock { state in
            if let end = Self.end(state) { return end }
            state.jobs[ObjectIdentifier(job)] = job
            return nil
        }
    }

    /// Keeps a job, and hands it over to the thread.
    ///
    /// - Returns: nil: it is handed over; else why not.
    package func post(_ job: Job) -> MailboxEnd? {
        let (end, wake) = self.state.withLock { state -> (MailboxEnd?, (@Sendable () -> Void)?) in
            if let end = Self.end(state) { return (end, nil) }
            state.jobs[ObjectIdentifier(job)] = job
            state.arrivals.append(job)
            return (nil, self.wake(&state))
        }
        wake?()
        return end
    }

    /// Keeps jobs, and hands them over to the thread, which is woken once for all of them.
    ///
    /// - Returns: nil: they are handed over; else why none is.
    package func post(_ jobs: [Job]) -> MailboxEnd? {
        let (end, wake) = self.state.withLock { state -> (MailboxEnd?, (@Sendable () -> Void)?) in
            if let end = Self.end(state) { return (end, nil) }
            for job in jobs { state.jobs[ObjectIdentifier(job)] = job }
            state.arrivals.append(contentsOf: jobs)
            return (nil, self.wake(&state))
        }
        wake?()
        return end
    }

    private static func end(_ state: State) -> MailboxEnd? {
        if state.order == .cancel { return .cancelled }
        return state.hasEnded ? .closed : nil
    }

    /// Keeps jobs no more. A thread that is to close looks again.
    package func remove(_ jobs: [Job]) {
        let wake = self.state.withLock { state in
            for job in jobs { state.jobs[ObjectIdentifier(job)] = nil }
            return state.order == .close ? self.wake(&state) : nil
        }
        wake?()
    }

    /// Keeps a job no more. A thread that is to close looks again.
    package func remove(_ job: Job) {
        let wake = self.state.withLock { state in
            state.jobs[ObjectIdentifier(job)] = nil
            return state.order == .close ? self.wake(&state) : nil
        }
        wake?()
    }

    /// Lets the thread look again.
    package func wakeThread() {
        let wake = self.state.withLock { state in self.wake(&state) }
        wake?()
    }

    private func wake(_ state: inout State) -> (@Sendable () -> Void)? {
        if let waker = state.waker { return waker }
        guard state.isAsleep else { return nil }
        state.isAsleep = false
        return { self.pipe?.end.signal() }
    }

    // MARK: The thread

    /// All jobs that are kept.
    package var jobs: [Job] { self.state.withLock { Array($0.jobs.values) } }

    /// Whether no job is kept.
    package var isIdle: Bool { self.state.withLock(\.jobs.isEmpty) }

    /// Takes the jobs that were posted since the last time.
    package func take(into jobs: inout [Job]) -> Order {
        self.state.withLock { state in
            jobs.append(contentsOf: state.arrivals)
            state.arrivals.removeAll(keepingCapacity: true)
            return state.order
        }
    }

    /// Waits until something is posted or ordered, or whatever else the thread waits for happens.
    ///
    /// - Parameters:
    ///   - order: The order that the thread has obeyed: another one is a reason not to wait.
    ///   - wait: Waits for the descriptor to be readable, or not at all if there is news, and says whether it is readable.
    package func sleep<Result>(
        after order: Order, _ wait: (_ descriptor: CInt, _ maySleep: Bool) -> (isWoken: Bool, Result)
    ) -> Result {
        let maySleep = self.state.withLock { state in
            state.isAsleep = state.arrivals.isEmpty && state.order == order
            return state.isAsleep
        }
        let (isWoken, result) = wait(self.pipe?.end.readDescriptor ?? -1, maySleep)
        self.state.withLock { $0.isAsleep = false }
        if isWoken { self.pipe?.end.drain() }
        return result
    }

    /// How the thread is woken from now on, from any thread, in place of the pipe; nil: it does not wait.
    package func wake(by waker: (@Sendable () -> Void)?) {
        self.state.withLock { $0.waker = waker }
    }

    /// What ends the call that the thread may be blocked in from now on; nil: nothing does. It is called, from any thread, when
    /// everything is cancelled, and never after it was replaced.
    package func interrupt(by interruption: (@Sendable () -> Void)?) {
        self.state.withLock { state in
            state.interruption = interruption
            if state.order == .cancel { interruption?() }
        }
    }

    /// Tells the status, unless everything has ended.
    ///
    /// - Returns: Whether it is told.
    @discardableResult package func report(_ status: Status) -> Bool {
        let isTold = self.state.withLock { state in
            if state.hasEnded || state.order == .cancel { return false }
            state.status = status
            return true
        }
        self.known.open()
        return isTold
    }

    /// The thread ends. Whatever is still kept is let go.
    package func end() {
        let runner = self.state.withLock { state in
            state.hasEnded = true
            state.status = self.endStatus
            state.waker = nil
            state.interruption = nil
            state.arrivals = []
            defer { state.runner = nil }
            return state.runner
        }
        self.endAll()
        runner?.resume()
    }

    private func endAll() {
        // The thread may obey a cancellation before that has let the jobs go.
        let (jobs, reason) = self.state.withLock { state -> ([Job], MailboxEnd) in
            // Kept, each would keep what has made it, and that this.
            defer { state.jobs = [:] }
            return (Array(state.jobs.values), state.order == .cancel ? .cancelled : .closed)
        }
        for job in jobs { job.end(reason) }
        self.known.open()
        self.ended.open()
    }
}

/// A pipe that may not be there: only a reference can be optional and a constant.
private final class SharedPipe: Sendable {
    let end: WakePipe

    init?() {
        guard let pipe = WakePipe() else { return nil }
        self.end = pipe
    }
}
