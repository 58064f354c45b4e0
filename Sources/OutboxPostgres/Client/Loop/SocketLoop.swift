import DequeModule
import Outbox
import OutboxRuntime
import Synchronization

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

// Sendable because `inbox` and `thread` are synchronised and everything else that changes is used by the loop's thread only, which
// hands it on through `inbox` when it ends.
/// A thread that waits for sockets with `poll(2)` and is the executor of the connections they belong to.
///
/// Code isolated to a ``LibPQConnection`` runs on the thread of its loop, so when the server has answered, that code continues
/// on the thread that saw the answer. The price is that such code must be brief: while it runs, no other connection of this
/// loop is served. Code that merely calls a connection is not concerned.
///
/// The thread is started with the first work, and ends when there has been none for a while: 10 seconds without a job and without
/// a socket to wait for. Use ``shared`` unless a connection deserves a thread of its own.
package final class SocketLoop: SerialExecutor, @unchecked Sendable {
    // @unchecked: the fields below the line that says so are touched on the loop's thread only. A thread that ends and the next one
    // are put in order by the lock of the inbox.

    /// The loop of every connection that is not given another.
    package static let shared = SocketLoop()

    private enum Work {
        case job(UnownedJob)
        case resumption(UnownedJob)
        case call(@Sendable () -> Void)
    }

    private struct Inbox {
        var work: Deque<Work> = []
        /// The thread is in `poll(2)`, or about to enter it, and nothing was written to the pipe since.
        var isAsleep = false
        /// There is a thread, or one is being started.
        var hasThread = false
    }

    private static let roundsBetweenPolls = 16

    private let inbox = Mutex(Inbox())
    private let pipe: WakePipe
    /// How long the thread stays without anything to do.
    private let linger: Duration
    private let thread = Atomic<UInt>(0)

    // From here on: the loop's thread only.

    /// For tasks that wait for a socket of this loop.
    private(set) lazy var resumer = Resumer(loop: self)
    private var localWork: Deque<Work> = []
    private var armed = ArmedSources()
    private var pollDescriptors: [pollfd] = []
    private var idleSince: ContinuousClock.Instant?

    /// Creates a loop. Stops the process if the system has no descriptor left, and later if it has no thread left.
    package convenience init() {
        self.init(linger: .seconds(10))
    }

    init(linger: Duration) {
        guard let pipe = WakePipe() else { fatalError("no file descriptor is left for a SocketLoop") }
        self.pipe = pipe
        self.linger = linger
    }

    /// Whether there is a thread at the moment.
    var hasThread: Bool { inbox.withLock { $0.hasThread } }

    // MARK: Work

    /// Runs a job of an actor whose executor this is.
    package func enqueue(_ job: consuming ExecutorJob) {
        add(.job(UnownedJob(job)))
    }

    /// Runs a job of a task that prefers ``resumer``.
    fileprivate func resume(_ job: UnownedJob) {
        add(.resumption(job))
    }

    /// Runs `call` on the loop's thread, soon.
    func execute(_ call: @escaping @Sendable () -> Void) {
        add(.call(call))
    }

    private func add(_ work: Work) {
        if isCurrent {
            localWork.append(work)
            return
        }
        let (mustStart, mustSignal) = inbox.withLock { inbox in
            inbox.work.append(work)
            defer { (inbox.hasThread, inbox.isAsleep) = (true, false) }
            return (!inbox.hasThread, inbox.isAsleep)
        }
        if mustStart {
            guard DedicatedThread.start({ self.run() }) else { fatalError("no thread is left for a SocketLoop") }
        } else if mustSignal {
            pipe.signal()
        }
    }

    // MARK: Isolation

    /// Whether the caller is on the loop's thread.
    var isCurrent: Bool {
        thread.load(ordering: .relaxed) == DedicatedThread.currentID
    }

    /// Stops the process unless it is called on the loop's thread.
    package func checkIsolated() {
        precondition(isCurrent, "not on the thread of this SocketLoop")
    }

    /// Whether the caller is on the loop's thread.
    package func isIsolatingCurrentContext() -> Bool? {
        isCurrent
    }

    // MARK: Sockets

    /// Watches `source` for `events` until `deadline`, in place of what it was watched for.
    func arm(_ source: SocketSource, for events: SocketEvents, until deadline: ContinuousClock.Instant?) {
        armed.arm(source, for: events, until: deadline)
    }

    /// Watches `source` no longer. Must come before its descriptor is closed.
    func disarm(_ source: SocketSource) {
        armed.disarm(source)
    }

    // MARK: The thread

    private func run() {
        thread.store(DedicatedThread.currentID, ordering: .relaxed)
        repeat {
            runWork()
            poll()
        } while !mayEnd()
    }

    /// Whether there is nothing to do for this thread, nor has been for a while. The next work starts another.
    private func mayEnd() -> Bool {
        guard let idleSince, armed.isEmpty, localWork.isEmpty, ContinuousClock.now - idleSince >= linger else {
            return false
        }
        return inbox.withLock { inbox in
            guard inbox.work.isEmpty else { return false }
            inbox.hasThread = false
            // Before the next thread may write its own.
            thread.store(0, ordering: .relaxed)
            return true
        }
    }

    /// Runs what is there now, and what that adds. Some rounds of it: the sockets are to be looked at now and then.
    private func runWork() {
        for _ in 0..<Self.roundsBetweenPolls {
            inbox.withLock { inbox in
                guard !inbox.work.isEmpty else { return }
                if localWork.isEmpty {
                    swap(&localWork, &inbox.work)
                } else {
                    localWork.append(contentsOf: inbox.work)
                    inbox.work.removeAll(keepingCapacity: true)
                }
            }
            if localWork.isEmpty { return }
            for _ in 0..<localWork.count {
                switch localWork.removeFirst() {
                case .job(let job): unsafe job.runSynchronously(on: asUnownedSerialExecutor())
                case .resumption(let job): resumer.run(job)
                case .call(let call): call()
                }
            }
        }
    }

    private func poll() {
        let mayBlock =
            localWork.isEmpty
            && inbox.withLock { inbox in
                inbox.isAsleep = inbox.work.isEmpty
                return inbox.isAsleep
            }
        var deadline = armed.earliestDeadline
        if armed.isEmpty, mayBlock {
            let now = ContinuousClock.now
            if idleSince == nil { idleSince = now }
            deadline = now + linger
        } else {
            idleSince = nil
        }

        pollDescriptors.removeAll(keepingCapacity: true)
        pollDescriptors.append(pollfd(fd: pipe.readDescriptor, events: Int16(POLLIN), revents: 0))
        for source in armed.sources {
            var events: Int16 = 0
            if source.events.contains(.readable) { events |= Int16(POLLIN) }
            if source.events.contains(.writable) { events |= Int16(POLLOUT) }
            pollDescriptors.append(pollfd(fd: source.descriptor, events: events, revents: 0))
        }
        let count = pollDescriptors.count
        let timeout = mayBlock ? Self.timeout(until: deadline) : 0
        let ready = unsafe pollDescriptors.withUnsafeMutableBufferPointer { descriptors in
            #if canImport(Darwin)
            unsafe Darwin.poll(descriptors.baseAddress, nfds_t(count), timeout)
            #elseif canImport(Glibc)
            unsafe Glibc.poll(descriptors.baseAddress, nfds_t(count), timeout)
            #else
            unsafe Musl.poll(descriptors.baseAddress, nfds_t(count), timeout)
            #endif
        }
        if mayBlock { inbox.withLock { $0.isAsleep = false } }
        if ready > 0, pollDescriptors[0].revents != 0 { pipe.drain() }
        if ready != 0 { idleSince = nil }
        dispatch(anyReady: ready > 0, hasDeadline: deadline != nil)
    }

    private func dispatch(anyReady: Bool, hasDeadline: Bool) {
        guard anyReady || hasDeadline else { return }
        let now = hasDeadline ? ContinuousClock.now : nil
        // A handler may arm and disarm, so this walks over a copy, which `pollDescriptors` matches one to one.
        let sources = armed.sources
        for (index, source) in sources.enumerated() where source.isArmed {
            var events: SocketEvents = []
            let received = anyReady ? CInt(pollDescriptors[index + 1].revents) : 0
            if received != 0 {
                // An error or hang-up is found out by reading and writing, which is what the owner wants to do anyway.
                if received & ~POLLOUT != 0 { events.insert(.readable) }
                if received & ~POLLIN != 0 { events.insert(.writable) }
                events.formIntersection(source.events)
            }
            if let now, let deadline = source.deadline, deadline <= now { events.insert(.deadline) }
            if !events.isEmpty { source.onEvents(events) }
        }
    }

    /// In milliseconds; -1: without a limit.
    static func timeout(until deadline: ContinuousClock.Instant?) -> CInt {
        guard let deadline else { return -1 }
        return (deadline - .now).wholeMilliseconds
    }
}

/// The thread of a ``SocketLoop`` as what a task prefers to be resumed on.
///
/// It is not the loop itself, because a job that is for an actor of the loop has to be run as such: the runtime would go on
/// switching between the two otherwise.
final class Resumer: TaskExecutor {
    private unowned let loop: SocketLoop

    init(loop: SocketLoop) {
        self.loop = loop
    }

    func enqueue(_ job: consuming ExecutorJob) {
        loop.resume(UnownedJob(job))
    }

    /// On the thread of `loop`, which runs one job at a time: an actor of the loop is entered at once.
    func run(_ job: UnownedJob) {
        unsafe job.runSynchronously(
            isolatedTo: loop.asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
    }
}
