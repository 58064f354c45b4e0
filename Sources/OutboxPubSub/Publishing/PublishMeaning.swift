import Outbox
import OutboxHTTP

/// What the end of a request means for its messages.
enum PublishMeaning: Equatable {
    case delivered
    /// One or several messages are to blame; which, is found out by smaller requests. One that is refused alone never will be taken.
    case refused(String)
    /// The topic takes nothing: it is not there, is not ours to publish to, or cannot be used.
    case topicRefused(String)
    /// The token is not accepted.
    case unauthenticated(String)
    /// Too much was sent; when to go on, if the service says so.
    case throttled(String, retryAfter: Duration?)
    /// It failed, and may succeed later.
    case failed(String)
    /// Nothing can be published at the moment.
    case unavailable(String)
    /// The request was taken back, the transport ends, or the process lacks something, which says nothing of the service.
    case ended(String)

    /// - Parameter count: How many messages were sent.
    init(_ result: Result<HTTPResponse, HTTPFailure>, count: Int) {
        switch result {
        case .success(let response): self.init(GRPCAnswer(response), count: count)
        case .failure(let failure):
            switch failure.kind {
            case .closed, .cancelled, .withdrawn, .noResources: self = .ended(failure.reason)
            // What cannot be sent as it is has a token that is none: nothing else of a request comes from outside.
            default: self = .unavailable(failure.reason)
            }
        }
    }

    init(_ answer: GRPCAnswer, count: Int) {
        switch answer {
        case .message(let message):
            let published = PubSubRequest.publishedCount(message)
            self =
                published == count
                ? .delivered : .failed("the service has confirmed \(published ?? 0) of \(count) messages")
        case .failed(let status): self.init(status)
        // It is not the service that has answered, so nothing is said of a message.
        case .notGRPC(let status): self = .unavailable(status.text)
        }
    }

    /// What a status of the service means (https://cloud.google.com/pubsub/docs/reference/error-codes).
    init(_ status: GRPCStatus) {
        self =
            switch status.code {
            case .ok: .delivered
            case .invalidArgument where Self.isAboutTopic(status.message): .topicRefused(status.text)
            case .invalidArgument, .outOfRange: .refused(status.text)
            case .notFound, .permissionDenied, .failedPrecondition: .topicRefused(status.text)
            case .unauthenticated: .unauthenticated(status.text)
            case .resourceExhausted where Self.isAboutSize(status.message): .refused(status.text)
            case .resourceExhausted, .aborted, .cancelled:
                .throttled(status.text, retryAfter: status.retryDelay)
            case .unavailable, .deadlineExceeded, .unimplemented: .unavailable(status.text)
            case .unknown, .internal, .dataLoss, .alreadyExists: .failed(status.text)
            }
    }

    /// The service names what is wrong with a name, which no message is to blame for.
    private static func isAboutTopic(_ message: String) -> Bool {
        message.hasPrefix("Invalid resource name") || message.contains("(argument=topic)")
    }

    /// Libraries of gRPC have no other code for a request that is longer than they read.
    private static func isAboutSize(_ message: String) -> Bool {
        let message = message.lowercased()
        return message.contains("larger than max") || message.contains("exceeds maximum size")
    }
}
