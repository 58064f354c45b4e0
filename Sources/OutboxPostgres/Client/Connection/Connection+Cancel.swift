internal import Outbox

/// Cancelling the statement that is running.
extension Connection {
    /// The task of the exchange was cancelled. Does nothing if that exchange has ended.
    func cancelExchange(_ id: Int) {
        guard exchange.id == id, loss == nil, exchange.cancel.request() else { return }
        sendCancelRequest()
    }

    func sendCancelRequest() {
        let isStarted = DedicatedThread.start { [cancelKey, loop] in
            cancelKey.sendRequest()
            loop.execute { self.assumeIsolated { $0.cancelRequestEnded() } }
        }
        // Without a thread, the next attempt may fare better.
        if !isStarted { cancelRequestEnded() }
    }

    private func cancelRequestEnded() {
        exchange.cancel.requestEnded(now: .now)
        exchange.cancelWaiter.take()?.resume()
        rearm()
    }
}
