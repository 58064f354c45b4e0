package import Outbox

/// How a service that is spoken to by HTTP takes messages: what a request is, and what its answer means.
package protocol RequestService: Sendable {
    /// Packs messages that may be sent now into requests. Called on any thread, also for several parts of a batch at the same time.
    ///
    /// - Parameters:
    ///   - indexes: The places of the messages in the batch, in order; of each key one, unless keys are pipelined.
    ///   - settle: Takes the outcome of a message that is in no request.
    func requests(
        for indexes: [Int], of batch: MessageBatch, settle: (_ index: Int, _ outcome: Outcome) -> Void
    ) -> [MessageRequest]

    /// What became of a request's messages. Called on the client's thread.
    ///
    /// One ``/Outbox/Outcome/unavailable(_:)`` among them, and nothing more of the batch is sent.
    func outcome(
        of result: Result<HTTPResponse, HTTPFailure>, for request: MessageRequest, of batch: MessageBatch
    ) -> RequestOutcome
}

/// What became of a request's messages.
package enum RequestOutcome: Sendable {
    /// All are delivered, as nearly all are.
    case delivered
    /// An outcome for each, in the request's order.
    case each([Outcome])
}

/// A request that carries messages of a batch.
//
// A class: it is handed on several times, and a request has many parts.
package final class MessageRequest: Sendable {
    /// The places of its messages in the batch.
    package let indexes: [Int]
    package let request: HTTPRequest

    package init(indexes: [Int], request: HTTPRequest) {
        self.indexes = indexes
        self.request = request
    }
}
