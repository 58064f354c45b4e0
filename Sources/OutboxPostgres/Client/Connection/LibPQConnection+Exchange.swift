internal import CLibPQ

/// Having the turn, waiting for the socket, and reading results.
extension LibPQConnection {
    /// Runs `body` when it is this caller's turn, after what earlier users of the connection left to be done.
    ///
    /// - Parameter isShielded: whether to go on if the task is cancelled.
    func withTurn<R>(
        isShielded: Bool = false, _ body: () async throws(LibPQError) -> R
    ) async throws(LibPQError) -> R {
        try await takeTurn(isShielded: isShielded)
        let result: Result<R, LibPQError>
        do throws(LibPQError) {
            try await cleanUp()
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        await endTurn()
        return try result.get()
    }

    func takeTurn(isShielded: Bool) async throws(LibPQError) {
        if let loss { throw loss }
        if !isShielded, Task.isCancelled { throw Self.cancelledBeforeStart }
        if Self.copying.contains(ObjectIdentifier(self)) {
            throw LibPQError(.copy, "a COPY holds the connection until its closure has returned")
        }
        if !turn.takeIfFree() {
            let id = nextID()
            let isGranted =
                if isShielded {
                    await suspend { waitForTurn(id, $0) }
                } else {
                    await withTaskCancellationHandler {
                        await suspend { continuation in
                            if Task.isCancelled { return continuation.resume(returning: false) }
                            waitForTurn(id, continuation)
                        }
                    } onCancel: {
                        loop.execute { self.assumeIsolated { $0.turn.cancel(id) } }
                    }
                }
            guard isGranted else { throw Self.cancelledBeforeStart }
        }
        beginExchange(isShielded: isShielded)
    }

    /// Called with the turn.
    func beginExchange(isShielded: Bool) {
        exchange = Exchange()
        exchange.id = nextID()
        exchange.isShielded = isShielded
        exchange.silence = answerTimeout.map { SilenceWatch(limit: $0) }
    }

    private func waitForTurn(_ id: Int, _ continuation: CheckedContinuation<Bool, Never>) {
        if turn.takeIfFree() {
            continuation.resume(returning: true)
        } else {
            turn.wait(id, continuation)
        }
    }

    func endTurn() async {
        // A cancel request that is still on its way must not hit the next statement.
        exchange.statements = []
        if exchange.cancel.isSending, loss == nil {
            await suspend { continuation in
                if exchange.cancel.isSending, loss == nil {
                    exchange.cancelWaiter = continuation
                    rearm()
                } else {
                    continuation.resume()
                }
            }
        }
        exchange.id = 0
        rearm()
        turn.release()
    }

    private static var cancelledBeforeStart: LibPQError {
        LibPQError(.cancelled, "the task was cancelled before the statement was sent")
    }

    // MARK: Waiting

    /// Suspends until the continuation is resumed, and goes on right on the thread of ``loop``.
    ///
    /// What a continuation resumes would go first through the executor that its task prefers, by default the pool that all
    /// share, and from there to its actor's. The threads of that pool may be busy with handlers, while the server waits.
    ///
    /// - Parameter body: Called after another suspension: whatever there was a reason to wait for may have come meanwhile.
    func suspend<T>(_ body: (CheckedContinuation<T, Never>) -> Void) async -> T {
        await withTaskExecutorPreference(loop.resumer) { await withCheckedContinuation(body) }
    }

    /// Suspends until something was read from the socket, or written to it if there is something to write.
    ///
    /// - Parameter forResult: whether to sleep on until a result is complete. It is read meanwhile by the loop.
    func waitForSocket(forResult: Bool = false) async throws(LibPQError) {
        let id = exchange.id
        if exchange.isShielded || exchange.cancel.isRequested {
            await suspend { startWaiting($0, forResult: forResult) }
        } else {
            await withTaskCancellationHandler {
                await suspend { startWaiting($0, forResult: forResult) }
            } onCancel: {
                loop.execute { self.assumeIsolated { $0.cancelExchange(id) } }
            }
        }
        if let loss { throw loss }
    }

    private func startWaiting(_ continuation: CheckedContinuation<Void, Never>, forResult: Bool) {
        guard loss == nil, let connection = unsafe link.pointer else { return continuation.resume() }
        // What another one's wait has read already does not make the socket readable again.
        if forResult, unsafe PQisBusy(connection) == 0 { return continuation.resume() }
        exchange.wait(continuation, forResult: forResult)
        rearm()
    }

    /// Watches the socket for what is being waited for.
    func rearm() {
        guard let source else { return }
        if exchange.isWaiting {
            loop.arm(
                source, for: exchange.needsFlush ? [.readable, .writable] : .readable, until: exchange.deadline)
        } else if exchange.cancelWaiter != nil {
            loop.arm(source, for: .readable, until: exchange.cancellationEnd)
        } else if activity.hasWaiters {
            loop.arm(source, for: .readable, until: activity.earliestDeadline)
        } else {
            loop.disarm(source)
        }
    }

    /// Called by the loop.
    func socketReady(_ events: SocketEvents) {
        if exchange.isWaiting {
            // First, for this process may have stood still while the answer came.
            if events != .deadline {
                exchange.silence?.heard(now: .now)
                transfer(events)
            }
            if events.contains(.deadline), exchange.isWaiting {
                if exchange.isOverdue(now: .now) { return giveUpCancellation() }
                if exchange.cancel.timePassed(now: .now) { sendCancelRequest() }
                silenceHasLasted()
            }
        } else {
            if events.contains(.readable) { readIdleSocket() }
            if events.contains(.deadline) {
                if exchange.cancelWaiter != nil, exchange.isOverdue(now: .now) { return giveUpCancellation() }
                activity.resumeExpired(now: .now)
            }
        }
        rearm()
    }

    // MARK: Sending and receiving

    /// Moves what the socket has and takes, and resumes the tasks that wait for that.
    private func transfer(_ events: SocketEvents) {
        do throws(LibPQError) {
            let connection = try unsafe requireLink()
            if events.contains(.readable) {
                guard unsafe PQconsumeInput(connection) == 1 else { throw connectionLost() }
                takeNotifications()
            }
            if exchange.needsFlush { try flush() }
            if exchange.waitsForResult, unsafe PQisBusy(connection) == 1 { return }
            exchange.resume()
        } catch {
            // The waiting tasks were resumed when the connection was lost.
        }
    }

    /// Writes what the socket takes now.
    func flush() throws(LibPQError) {
        let connection = try unsafe requireLink()
        switch unsafe PQflush(connection) {
        case 0: exchange.needsFlush = false
        case 1: exchange.needsFlush = true
        default: throw connectionLost()
        }
    }

    /// The next result; `nil` at the end of the results of a statement.
    func nextResult() async throws(LibPQError) -> ResultHandle? {
        while true {
            let connection = try unsafe requireLink()
            try flush()
            if unsafe PQisBusy(connection) == 0 { break }
            try await waitForSocket(forResult: true)
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
    ///
    /// - Parameter what: What it is that the server refused, if it is a refusal.
    func failure(
        _ result: borrowing ResultHandle, statementIndex: Int? = nil,
        _ what: String = "the server refused the statement"
    ) -> LibPQError {
        let report = unsafe ServerReport(result: result.pointer)
        let isBroken = unsafe link.pointer.map { unsafe PQstatus($0) == CONNECTION_BAD } ?? true
        if report.isFatal || isBroken {
            let error = LibPQError(
                .connectionLost,
                report.sqlState == nil ? "the connection to the server was lost" : "the server ended the session",
                server: report.sqlState == nil ? link.notices.lastFatal : report, statementIndex: statementIndex)
            lose(error)
            return error
        }
        if report.sqlState == SQLState.queryCanceled, exchange.cancel.isRequested {
            return LibPQError(
                .cancelled, "the statement was cancelled because its task was", statementIndex: statementIndex)
        }
        let error = LibPQError(.server, what, server: report, statementIndex: statementIndex)
        noteUnfitness(error)
        return error
    }

    /// Some refusals are not the statement's fault but the session's, and will be repeated for as long as it lives.
    private func noteUnfitness(_ error: LibPQError) {
        switch error.sqlState {
        case SQLState.readOnlyTransaction? where !isInReadOnlyTransaction: unfitness = error
        case let state? where state.hasPrefix("57P"): unfitness = error
        default: break
        }
    }
}
