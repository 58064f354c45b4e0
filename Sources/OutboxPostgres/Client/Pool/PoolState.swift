internal import DequeModule

/// Which caller gets which connection. Decides; connects, closes and resumes nothing.
///
/// Every connection occupies a slot, from the decision to open it until it is closed. A caller that is granted a slot without a connection
/// opens one itself, so the pool needs no task of its own, and cancelling the caller cancels the attempt.
struct PoolState<Resource, Waiter> {
    enum Request {
        case granted(PoolGrant<Resource>)
        case waiting
    }

    /// What to do once a connection has come back.
    struct Return {
        var close: Resource?
        var resume: (waiter: Waiter, grant: PoolGrant<Resource>)?
    }

    let maximum: Int
    private(set) var slotsTaken = 0
    private(set) var isClosed = false
    /// Rises when those that are open must not be lent again.
    private(set) var generation = 0
    private var idle: [Resource] = []
    private var waiters: Deque<(id: Int, waiter: Waiter)> = []

    init(maximum: Int) {
        self.maximum = maximum
    }

    var idleCount: Int { idle.count }
    var waiterCount: Int { waiters.count }

    /// The most recently used connection goes first: the others may be closed one day. `nil` means that there is only the queue.
    mutating func requestNow() -> PoolGrant<Resource>? {
        if isClosed { return .closed }
        if let resource = idle.popLast() { return .lease(resource) }
        guard slotsTaken < maximum else { return nil }
        slotsTaken += 1
        return .connect
    }

    mutating func request(_ id: Int, _ waiter: Waiter) -> Request {
        if let grant = requestNow() { return .granted(grant) }
        waiters.append((id, waiter))
        return .waiting
    }

    /// - Returns: The waiter, to be told why it gets nothing; `nil` if it has been served.
    mutating func cancel(_ id: Int) -> Waiter? {
        guard let index = waiters.firstIndex(where: { $0.id == id }) else { return nil }
        return waiters.remove(at: index).waiter
    }

    /// A connection was opened in a slot.
    ///
    /// - Returns: `false` if the pool was closed meanwhile: close the connection and ``giveUpSlot()``.
    func connected() -> Bool {
        !isClosed
    }

    /// - Parameter generation: ``generation`` as it was when the connection was opened.
    mutating func giveBack(_ resource: Resource, generation: Int) -> Return {
        if isClosed {
            slotsTaken -= 1
            return Return(close: resource)
        }
        if generation != self.generation {
            var result = giveUpSlot()
            result.close = resource
            return result
        }
        if let next = waiters.popFirst() {
            return Return(resume: (next.waiter, .lease(resource)))
        }
        idle.append(resource)
        return Return()
    }

    /// What has befallen a connection of `generation` has probably befallen the others that were open then: none of them is lent again.
    ///
    /// - Returns: The connections to close.
    mutating func retire(generation: Int) -> [Resource] {
        guard generation == self.generation else { return [] }
        self.generation += 1
        slotsTaken -= idle.count
        defer { idle = [] }
        return idle
    }

    /// There is no connection in the slot (any more).
    mutating func giveUpSlot() -> Return {
        if let next = waiters.popFirst() {
            return Return(resume: (next.waiter, .connect))
        }
        slotsTaken -= 1
        return Return()
    }

    /// - Returns: the connections to close, and whom to resume with ``PoolGrant/closed``.
    mutating func close() -> (idle: [Resource], waiters: [Waiter]) {
        guard !isClosed else { return ([], []) }
        isClosed = true
        defer {
            slotsTaken -= idle.count
            idle = []
            waiters = []
        }
        return (idle, waiters.map(\.waiter))
    }
}

/// What a caller has been granted.
enum PoolGrant<Resource> {
    /// A connection that was used before.
    case lease(Resource)
    /// A slot: open a connection, or say that it failed with ``PoolState/giveUpSlot()``.
    case connect
    case closed
    case cancelled
    /// None came free within the pool's limit.
    case timedOut
}

extension PoolGrant: Sendable where Resource: Sendable {}
extension PoolGrant: Equatable where Resource: Equatable {}
