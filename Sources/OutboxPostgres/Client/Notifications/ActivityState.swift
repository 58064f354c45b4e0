internal import DequeModule

/// The tasks that wait for asynchronous messages of the server, and the messages that came. Confined to the connection.
struct ActivityState {
    private struct Waiter {
        let deadline: ContinuousClock.Instant?
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct Subscription {
        let channel: String
        var notifications: Deque<LibPQNotification> = []
    }

    /// More notifications than this are not kept until they are fetched.
    static let maximumPending = 65_536

    private var waiters: [Int: Waiter] = [:]
    private var subscriptions: [Int: Subscription] = [:]
    /// Of channels without a subscription.
    private var pending: [LibPQNotification] = []
    /// Channels without a listener, of which the server was not told yet.
    private(set) var abandonedChannels: [String] = []

    // MARK: Waiters

    /// How often all waiters were resumed: tells a task that has decided to wait, and does not yet, that it need not.
    private(set) var changeCount = 0
    var hasWaiters: Bool { !waiters.isEmpty }
    var earliestDeadline: ContinuousClock.Instant? { waiters.values.compactMap(\.deadline).min() }

    /// The resumed task looks itself what has happened.
    mutating func wait(
        _ id: Int, until deadline: ContinuousClock.Instant?, _ continuation: CheckedContinuation<Void, Never>
    ) {
        waiters[id] = Waiter(deadline: deadline, continuation: continuation)
    }

    mutating func resume(_ id: Int) {
        waiters.removeValue(forKey: id)?.continuation.resume()
    }

    /// Takes over the continuation of a task that waits.
    mutating func remove(_ id: Int) -> CheckedContinuation<Void, Never>? {
        waiters.removeValue(forKey: id)?.continuation
    }

    mutating func resumeAll() {
        changeCount += 1
        let waiting = waiters.values
        waiters.removeAll()
        for waiter in waiting { waiter.continuation.resume() }
    }

    mutating func resumeExpired(now: ContinuousClock.Instant) {
        for (id, waiter) in waiters {
            if let deadline = waiter.deadline, deadline <= now { resume(id) }
        }
    }

    // MARK: Notifications

    mutating func receive(_ notification: LibPQNotification) {
        var isTaken = false
        for (id, subscription) in subscriptions where subscription.channel == notification.channel {
            isTaken = true
            subscriptions[id]?.notifications.append(notification)
            if subscription.notifications.count >= Self.maximumPending {
                subscriptions[id]?.notifications.removeFirst()
            }
        }
        if !isTaken, pending.count < Self.maximumPending { pending.append(notification) }
    }

    var hasPending: Bool { !pending.isEmpty }

    mutating func takePending() -> [LibPQNotification]? {
        guard !pending.isEmpty else { return nil }
        defer { pending = [] }
        return pending
    }

    func isSubscribed(_ id: Int) -> Bool { subscriptions[id] != nil }

    mutating func takeNext(for subscription: Int) -> LibPQNotification? {
        subscriptions[subscription]?.notifications.popFirst()
    }

    // MARK: Subscriptions

    mutating func subscribe(_ id: Int, to channel: String) {
        abandonedChannels.removeAll { $0 == channel }
        subscriptions[id] = Subscription(channel: channel)
    }

    mutating func unsubscribe(_ id: Int) {
        guard let channel = subscriptions.removeValue(forKey: id)?.channel else { return }
        if !subscriptions.values.contains(where: { $0.channel == channel }) { abandonedChannels.append(channel) }
    }

    /// The server has forgotten all channels.
    mutating func endSubscriptions() {
        abandonedChannels = []
        pending = []
        subscriptions = [:]
        resumeAll()
    }

    mutating func takeAbandonedChannels() -> [String] {
        defer { abandonedChannels = [] }
        return abandonedChannels
    }
}
