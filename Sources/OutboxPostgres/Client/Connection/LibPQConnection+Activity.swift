internal import CLibPQ
internal import Synchronization

/// What ended a wait for the server to speak unasked.
package enum Activity: Sendable, Hashable {
    /// Notifications have arrived, at least one.
    case notified([LibPQNotification])
    /// ``LibPQConnection/wake()`` was called.
    case woken
    /// The deadline has passed.
    case deadline
}

extension LibPQConnection {
    /// Waits until notifications have arrived, those included that came with the answer to an earlier statement, or ``wake()`` has been called
    /// since the last time it was reported, or the deadline has passed.
    ///
    /// Notifications of channels that have a ``LibPQNotifications`` sequence go there instead. Statements of other tasks run meanwhile.
    ///
    /// - Throws: ``LibPQError/Code/connectionLost`` as soon as the server is gone; ``LibPQError/Code/cancelled``.
    package func waitForActivity(until deadline: ContinuousClock.Instant?) async throws(LibPQError) -> Activity {
        try await waitForActivity(until: deadline, isStaged: false)
    }

    /// - Parameter isStaged: Whether it is this wait that what is staged is sent for.
    func waitForActivity(
        until deadline: ContinuousClock.Instant?, isStaged: Bool
    ) async throws(LibPQError) -> Activity {
        while true {
            // Whatever else has happened, there is an answer to be read.
            if isStaged, staged?.isSent == true { return .notified(activity.takePending() ?? []) }
            if let notifications = activity.takePending() { return .notified(notifications) }
            if isWoken.exchange(false, ordering: .acquiring) { return .woken }
            if let loss { throw loss }
            if Task.isCancelled {
                throw LibPQError(.cancelled, "the task was cancelled while waiting for the server")
            }
            if let deadline, deadline <= .now { return .deadline }
            await waitUntilSomethingHappens(until: deadline, isStaged: isStaged)
        }
    }

    /// The notifications that have arrived so far, without waiting; nil: none.
    package func takeArrivedNotifications() -> [LibPQNotification]? {
        self.activity.takePending()
    }

    /// Whether there are any.
    package var hasArrivedNotifications: Bool { self.activity.hasPending }

    /// Ends the current or the next ``waitForActivity(until:)``. Cheap, from any thread; several calls may end one wait.
    package nonisolated func wake() {
        guard !isWoken.exchange(true, ordering: .releasing) else { return }
        loop.execute { self.assumeIsolated { $0.activity.resumeAll() } }
    }

    func waitUntilSomethingHappens(until deadline: ContinuousClock.Instant?, isStaged: Bool = false) async {
        let id = nextID()
        let changeCount = activity.changeCount
        await withTaskCancellationHandler {
            await suspend { continuation in
                // What has been read already does not make the socket readable again.
                if let connection = unsafe link.pointer, !exchange.isWaiting {
                    unsafe takeNotifications(connection)
                }
                if Task.isCancelled || activity.changeCount != changeCount { return continuation.resume() }
                activity.wait(id, until: deadline, continuation)
                if isStaged { staged?.waiter = id }
                rearm()
            }
        } onCancel: {
            loop.execute { self.assumeIsolated { $0.cancelWait(id) } }
        }
        rearm()
    }

    /// Reads what has arrived while no statement runs.
    func readIdleSocket() {
        guard loss == nil, let connection = unsafe link.pointer else { return }
        guard unsafe PQconsumeInput(connection) == 1 else {
            _ = connectionLost()
            return
        }
        guard let connection = unsafe link.pointer else { return }
        unsafe takeNotifications(connection, isIdle: true)
        // The server's last words come before the end of the stream.
        if link.notices.lastFatal != nil { _ = connectionLost() }
    }

    /// Finds out whether the server has ended the session since the connection was last used.
    func checkIdleSocket() {
        guard !turn.isTaken else { return }
        readIdleSocket()
    }

    /// Takes over the notifications that libpq has.
    func takeNotifications() {
        guard let connection = unsafe link.pointer else { return }
        unsafe takeNotifications(connection)
    }

    /// - Parameter isIdle: Whether no statement runs, so that one may be sent.
    private func takeNotifications(_ connection: OpaquePointer, isIdle: Bool = false) {
        var hasAny = false
        var together: [LibPQNotification] = []
        while let notification = unsafe PQnotifies(connection) {
            defer { unsafe PQfreemem(notification) }
            hasAny = true
            let received = unsafe LibPQNotification(
                channel: String(cString: notification.pointee.relname),
                payload: notification.pointee.extra.map { unsafe String(cString: $0) } ?? "",
                processID: notification.pointee.be_pid)
            if isIdle, staged != nil { together.append(received) }
            activity.receive(received)
        }
        if !together.isEmpty, staged?.isSignal(together) == true { sendStaged() }
        if hasAny { activity.resumeAll() }
    }
}
