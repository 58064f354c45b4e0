internal import Outbox

/// Cancelling the statement that is running.
extension Connection {
    /// The task of the exchange was cancelled. Does nothing if that exchange has ended.
    func cancelExchange(_ id: Int) {
        guard exchange.id == id, loss == nil, exchange.cancel.request() else { return }
        sendCancelRequest()
    }

    func sendCancelRequest() {
        limitCancelRequest()
        let isStarted = DedicatedThread.start { [cancelKey, loop] in
            cancelKey.sendRequest()
            loop.execute { self.assumeIsolated { $0.cancelRequestEnded() } }
        }
        // Without a thread, the next attempt may fare better.
        if !isStarted { cancelRequestEnded() }
    }

    /// libpq sends a request as slowly as the network likes. While one is on its way, the connection is of no use: it would hit
    /// the next statement.
    private func limitCancelRequest() {
        guard let answerTimeout else { return }
        let id = exchange.id
        Task { [weak self] in
            try? await Task.sleep(for: answerTimeout)
            await self?.cancelRequestIsOverdue(id)
        }
    }

    private func cancelRequestIsOverdue(_ id: Int) {
        guard exchange.id == id, exchange.cancel.isSending else { return }
        lose(
            PostgresError(
                .connectionLost,
                "the server was asked to cancel the statement and did not take the request; the connection was given up"
            ))
    }

    private func cancelRequestEnded() {
        exchange.cancel.requestEnded(now: .now)
        exchange.cancelWaiter.take()?.resume()
        rearm()
    }
}
