internal import CLibPQ

/// Having the turn, waiting for the socket, and reading results.
extension Connection {
    /// Runs `body` when it is this caller's turn, after what earlier users of the connection left to be done.
    ///
    /// - Parameter isShielded: whether to go on if the task is cancelled.
    func withTurn<R>(
        isShielded: Bool = false, _ body: () async throws(PostgresError) -> R
    ) async throws(PostgresError) -> R {
        try await takeTurn(isShielded: isShielded)
        let result: Result<R, PostgresError>
        do throws(PostgresError) {
            try await cleanUp()
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        await endTurn()
        return try result.get()
    }

    func takeTurn(isShielded: Bool) async throws(PostgresError) {
        if let loss { throw loss }
        if !isShielded, Task.isCancelled { throw Self.cancelledBeforeStart }
        if Self.copying.contains(ObjectIdentifier(self)) {
            throw PostgresError(.copy, "a COPY holds the connection until its closure has returned")
        }
        if !turn.takeIfFree() {
            let id = nextID()
            let isGranted =
                if isShielded {
                    await withCheckedContinuation { turn.wait(id, $0) }
                } else {
                    await withTaskCancellationHandler {
                        await withCheckedContinuation { turn.wait(id, $0) }
                    } onCancel: {
                        loop.execute { self.assumeIsolated { $0.turn.cancel(id) } }
                    }
                }
            guard isGranted else { throw Self.cancelledBeforeStart }
        }
        exchange = Exchange()
        exchange.id = nextID()
        exchange.isShielded = isShielded
    }

    func endTurn() async {
        // A cancel request that is still on its way must not hit whoever comes next.
        if exchange.cancel.isSending {
            await withCheckedContinuation { exchange.cancelWaiter = $0 }
        }
        exchange.id = 0
        rearm()
        turn.release()
    }

    private static var cancelledBeforeStart: PostgresError {
        PostgresError(.cancelled, "the task was cancelled before the statement was sent")
    }

    // MARK: Waiting

    /// Suspends until the socket can be read, or written if there is something to write.
    func waitForSocket() async throws(PostgresError) {
        let id = exchange.id
        let events =
            if exchange.isShielded || exchange.cancel.isRequested {
                await withCheckedContinuation { startWaiting($0) }
            } else {
                await withTaskCancellationHandler {
                    await withCheckedContinuation { startWaiting($0) }
                } onCancel: {
                    loop.execute { self.assumeIsolated { $0.cancelExchange(id) } }
                }
            }
        let connection = try unsafe requireLink()
        if events.contains(.readable) {
            guard unsafe PQconsumeInput(connection) == 1 else { throw connectionLost() }
            takeNotifications()
        }
    }

    private func startWaiting(_ continuation: CheckedContinuation<SocketEvents, Never>) {
        guard loss == nil else { return continuation.resume(returning: .interrupted) }
        exchange.wait(continuation)
        rearm()
    }

    /// Watches the socket for what is being waited for.
    func rearm() {
        guard let source else { return }
        if exchange.isWaiting {
            loop.arm(
                source, for: exchange.needsFlush ? [.readable, .writable] : .readable, until: exchange.cancel.deadline)
        } else if activity.hasWaiters {
            loop.arm(source, for: .readable, until: activity.earliestDeadline)
        } else {
            loop.disarm(source)
        }
    }

    /// Called by the loop.
    func socketReady(_ events: SocketEvents) {
        if exchange.isWaiting {
            if events.contains(.deadline), exchange.cancel.timePassed(now: .now) { sendCancelRequest() }
            let ready = events.subtracting(.deadline)
            if !ready.isEmpty { exchange.resume(ready) }
        } else {
            if events.contains(.readable) { readIdleSocket() }
            if events.contains(.deadline) { activity.resumeExpired(now: .now) }
        }
        rearm()
    }

    // MARK: Sending and receiving

    /// Writes what the socket takes now.
    func flush() throws(PostgresError) {
        let connection = try unsafe requireLink()
        switch unsafe PQflush(connection) {
        case 0: exchange.needsFlush = false
        case 1: exchange.needsFlush = true
        default: throw connectionLost()
        }
    }

    /// The next result; `nil` at the end of the results of a statement.
    func nextResult() async throws(PostgresError) -> ResultHandle? {
        while true {
            let connection = try unsafe requireLink()
            try flush()
            if unsafe PQisBusy(connection) == 0 { break }
            try await waitForSocket()
        }
        let connection = try unsafe requireLink()
        takeNotifications()
        guard let result = unsafe PQgetResult(connection) else {
            // libpq has nothing to say about a connection that it has given up.
            if unsafe PQstatus(connection) == CONNECTION_BAD { throw connectionLost() }
            return nil
        }
        return unsafe ResultHandle(owning: result)
    }

    /// What a failed result means. A failure that ends the session marks the connection as lost.
    func failure(_ result: borrowing ResultHandle, statementIndex: Int? = nil) -> PostgresError {
        let report = unsafe ServerReport(result: result.pointer)
        let isBroken = unsafe link.pointer.map { unsafe PQstatus($0) == CONNECTION_BAD } ?? true
        if report.isFatal || isBroken {
            let error = PostgresError(
                .connectionLost,
                report.sqlState == nil ? "the connection to the server was lost" : "the server ended the session",
                server: report.sqlState == nil ? link.notices.lastFatal : report, statementIndex: statementIndex)
            lose(error)
            return error
        }
        if report.sqlState == SQLState.queryCanceled, exchange.cancel.isRequested {
            return PostgresError(
                .cancelled, "the statement was cancelled because its task was", statementIndex: statementIndex)
        }
        return PostgresError(
            .server, "the server refused the statement", server: report, statementIndex: statementIndex)
    }
}
