import Outbox
import OutboxRuntime
import Synchronization

/// Where tasks and the transport's thread meet: batches go in, orders to end too, and the thread is woken if it sleeps.
final class Desk: Sendable {
    private struct State {
        var arrivals: [DeliveryJob] = []
        /// All deliveries that a caller waits for, so that they can be cancelled whatever the thread is doing.
        var live: [ObjectIdentifier: DeliveryJob] = [:]
        var isAsleep = false
        var orders = Orders()
        var health = TransportHealth.starting
        /// The socket in use; -1: there is none.
        var socket: CInt = -1
        var hasStarted = false
        var hasEnded = false
        var runner: CheckedContinuation<Void, Never>?
    }

    /// What the thread is to do.
    struct Orders {
        /// To finish what is under way, and end.
        var isClosing = false
        /// To drop everything, and end.
        var isCancelled = false
    }

    private let state = Mutex(State())
    private let pipe: WakePipe
    private let ended = Latch()
    /// Opened when it is known whether there is a connection.
    private let known = Latch()

    init() {
        guard let pipe = WakePipe() else { fatalError("no file descriptor is left for a transport") }
        self.pipe = pipe
    }

    var health: TransportHealth { self.state.withLock(\.health) }

    // MARK: Tasks

    /// Waits until it is known whether there is a connection.
    func contact() async -> TransportHealth {
        await self.known.wait()
        return self.health
    }

    /// Waits for the outcomes of a batch.
    func deliver(_ batch: MessageBatch, keyOrder: BatchSchedule.KeyOrder) async throws -> [Outcome] {
        let job = DeliveryJob(batch, keyOrder: keyOrder)
        defer { self.state.withLock { $0.live[ObjectIdentifier(job)] = nil } }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                if job.begin(continuation) { self.add(job) }
            }
        } onCancel: {
            job.end(.failure(CancellationError()))
        }
    }

    private func add(_ job: DeliveryJob) {
        enum Next { case signal, nothing, refuse }
        let next = self.state.withLock { state -> Next in
            if state.hasEnded || state.orders.isCancelled { return .refuse }
            state.live[ObjectIdentifier(job)] = job
            state.arrivals.append(job)
            defer { state.isAsleep = false }
            return state.isAsleep ? .signal : .nothing
        }
        switch next {
        case .signal: self.pipe.signal()
        case .nothing: break
        case .refuse: job.end(all: .unavailable("the transport is closed"))
        }
    }

    /// Runs the thread, and waits until it has ended.
    func run(_ body: @escaping @Sendable () -> Void) async throws {
        let isFirst = self.state.withLock { state in
            defer { state.hasStarted = true }
            return !state.hasStarted
        }
        guard isFirst else { throw TransportConfigurationError("RabbitMQ: a transport runs once") }
        guard DedicatedThread.start(body) else {
            throw TransportConfigurationError("RabbitMQ: the system has no thread left")
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let mustWait = self.state.withLock { state in
                    if state.hasEnded || (state.orders.isCancelled && state.socket < 0) { return false }
                    state.runner = continuation
                    return true
                }
                if !mustWait { continuation.resume() }
            }
        } onCancel: {
            self.cancel()
        }
        try Task.checkCancellation()
    }

    /// Cancels all deliveries, and ends the thread: at once if it waits for a socket. If it is looking up a host, it ends after the
    /// lookup, and the caller does not wait for that.
    private func cancel() {
        let (live, runner, mustSignal) = self.state.withLock { state in
            state.orders.isCancelled = true
            state.health = .closed
            // Under the lock, so that it is not another's socket by now.
            if state.socket >= 0 { SocketState.shutDown(state.socket) }
            let runner = state.socket < 0 ? state.runner : nil
            if runner != nil { state.runner = nil }
            defer { state.isAsleep = false }
            return (Array(state.live.values), runner, state.isAsleep)
        }
        if mustSignal { self.pipe.signal() }
        for job in live { job.end(all: .unavailable("the transport was cancelled")) }
        self.known.open()
        runner?.resume()
    }

    /// Ends the thread when it has finished what it does, and waits for that.
    func close() async {
        let (mustSignal, mustWait) = self.state.withLock { state in
            state.orders.isClosing = true
            if !state.hasStarted { state.hasEnded = true }
            defer { state.isAsleep = false }
            return (state.isAsleep, !state.hasEnded)
        }
        if mustSignal { self.pipe.signal() }
        if mustWait { await self.ended.wait() } else { self.known.open() }
    }

    // MARK: The thread

    /// What has come since the last time.
    func take(into jobs: inout [DeliveryJob]) -> Orders {
        self.state.withLock { state in
            jobs.append(contentsOf: state.arrivals)
            state.arrivals.removeAll(keepingCapacity: true)
            return state.orders
        }
    }

    /// Waits until something comes, or the socket has something to do.
    ///
    /// - Returns: Whether the socket has.
    func sleep(socket: CInt?, forWriting: Bool, milliseconds: CInt, orders: Orders) -> Bool {
        let maySleep = self.state.withLock { state in
            let isNews = state.orders.isCancelled != orders.isCancelled || state.orders.isClosing != orders.isClosing
            state.isAsleep = state.arrivals.isEmpty && !isNews
            return state.isAsleep
        }
        let ready = SocketState.wait(
            pipe: self.pipe.readDescriptor, socket: socket, forWriting: forWriting,
            milliseconds: maySleep ? milliseconds : 0)
        self.state.withLock { $0.isAsleep = false }
        if ready.pipe { self.pipe.drain() }
        return ready.socket
    }

    func report(_ health: TransportHealth) {
        self.state.withLock { state in
            if !state.orders.isCancelled { state.health = health }
        }
        self.known.open()
    }

    /// - Parameter socket: The one in use from now on; -1: none.
    func use(socket: CInt) {
        self.state.withLock { state in
            state.socket = socket
            if socket >= 0, state.orders.isCancelled { SocketState.shutDown(socket) }
        }
    }

    /// The thread ends.
    func end() {
        let (live, runner) = self.state.withLock { state in
            state.hasEnded = true
            state.health = .closed
            defer { state.runner = nil }
            return (Array(state.live.values), state.runner)
        }
        for job in live { job.end(all: .unavailable("the transport is closed")) }
        runner?.resume()
        self.known.open()
        self.ended.open()
    }
}
