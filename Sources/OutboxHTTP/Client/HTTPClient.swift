import CCurl
package import Outbox
package import OutboxRuntime

/// Sends requests, thousands at the same time, with libcurl on a thread of its own.
///
/// Redirects are not followed. What an answer means is for who has sent the request: here every answer is a success.
package final class HTTPClient: Sendable {
    private let configuration: HTTPConfiguration
    private let mailbox = ThreadMailbox<HTTPTransfer, Bool>(starting: false, ended: false)

    /// Creates a client; nothing is sent before ``run()``.
    ///
    /// - Throws: What cannot be used of the configuration.
    package init(_ configuration: HTTPConfiguration) throws(TransportConfigurationError) {
        if let defect = configuration.defect { throw TransportConfigurationError(defect) }
        self.configuration = configuration
    }

    /// Sends what it is given until ``close()`` has finished or the task is cancelled. Runs once.
    package func run() async throws(MailboxError) {
        let (configuration, mailbox) = (self.configuration, self.mailbox)
        try await mailbox.run {
            ClientLoop(configuration, mailbox).run()
        }
    }

    /// Lets what is under way finish, and ends.
    package func close() async { await self.mailbox.close() }

    /// Sends a request when it is its host's turn, also one that comes before ``run()``.
    ///
    /// - Parameter completion: Told the result, once, from the client's thread or another.
    /// - Returns: What can be taken back by ``cancel(_:)``.
    @discardableResult package func submit(
        _ request: HTTPRequest, then completion: @escaping @Sendable (Result<HTTPResponse, HTTPFailure>) -> Void
    ) -> HTTPTransfer {
        let transfer = HTTPTransfer(request, completion)
        self.submit(transfer)
        return transfer
    }

    func submit(_ transfer: HTTPTransfer) {
        if !Self.refuses(transfer), let end = self.mailbox.post(transfer) { transfer.end(end) }
    }

    /// Sends requests, for which the client's thread is woken once.
    func submit(_ transfers: [HTTPTransfer]) {
        if transfers.count < 2 { return transfers.forEach(self.submit) }
        let sound = transfers.filter { !Self.refuses($0) }
        if let end = self.mailbox.post(sound) {
            for transfer in sound { transfer.end(end) }
        }
    }

    private static func refuses(_ transfer: HTTPTransfer) -> Bool {
        let defect =
            transfer.origin == nil
            ? "the address has no host, a user’s name, or begins with neither http:// nor https://"
            : transfer.request.defect
        guard let defect else { return false }
        transfer.finish(.failure(HTTPFailure(.invalidRequest, defect)))
        return true
    }

    /// Ends a request. Its connection is closed, if the request is being sent and shares it with no other.
    package func cancel(_ transfer: HTTPTransfer) { self.take(back: .whole, transfer) }

    /// Ends a request that waits for its turn.
    package func withdraw(_ transfer: HTTPTransfer) { self.take(back: .unlessBegun, transfer) }

    private func take(back recall: HTTPTransfer.Recall, _ transfer: HTTPTransfer) {
        transfer.take(back: recall)
        _ = self.mailbox.post(transfer)
    }

    /// Sends a request, and waits for its answer.
    ///
    /// - Throws: An ``HTTPFailure``; `CancellationError`.
    package func send(_ request: HTTPRequest) async throws -> HTTPResponse {
        try Task.checkCancellation()
        let answer = Answer<HTTPResponse>()
        let transfer = self.submit(request) { result in answer.give(result.mapError { $0 }) }
        do {
            return try await answer.wait()
        } catch let error as CancellationError {
            self.cancel(transfer)
            throw error
        }
    }
}
