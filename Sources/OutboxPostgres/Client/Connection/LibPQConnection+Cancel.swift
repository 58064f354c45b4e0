internal import Outbox
import OutboxRuntime

/// Cancelling the statement that is running.
extension LibPQConnection {
    /// The task of the exchange was cancelled. Does nothing if that exchange has ended.
    func cancelExchange(_ id: Int) {
        guard exchange.id == id, loss == nil, exchange.cancel.request() else { return }
        exchange.cancellationEnd = .now + min(answerTimeout ?? Self.cancellationLimit, Self.cancellationLimit)
        sendCancelRequest()
        rearm()
    }

    func sendCancelRequest() {
        let isStarted = DedicatedThread.start { [cancelKey, loop] in
            cancelKey.sendRequest()
            loop.execute { self.assumeIsolated { $0.cancelRequestEnded() } }
        }
        // Without a thread, the next attempt may fare better.
        if !isStarted { cancelRequestEnded() }
    }

    /// The caller has no use for the answer, so it does not wait for a server that does not end the statement, nor for a
    /// request that the network does not take: that one would hit the next statement.
    func giveUpCancellation() {
        lose(
            LibPQError(
                .connectionLost,
                "the server was asked to cancel the statement and did not in time; the connection was given up",
                isSilence: true))
    }

    static let cancellationLimit = Duration.seconds(5)

    private func cancelRequestEnded() {
        exchange.cancel.requestEnded(now: .now)
        exchange.cancelWaiter.take()?.resume()
        rearm()
    }
}
