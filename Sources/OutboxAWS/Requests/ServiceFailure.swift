import OutboxHTTP

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Why a service has refused a whole request.
struct ServiceFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// What a refusal is about.
    enum Meaning: Sendable, Hashable {
        /// Too much at once: later.
        case throttled
        /// The credentials are over.
        case expired
        /// The key or the signature.
        case unauthorized
        /// The rights to this queue or stream, or to the key that it is encrypted with.
        case forbidden
        /// The queue, stream, topic or bus is not there, or is of another kind or region.
        case missing
        /// Something about the request's messages.
        case invalid
        /// Something else about the request, by a code that is not known here.
        case unclear
        /// The service itself.
        case unavailable
    }

    let status: Int
    /// The name of the error, without its namespace; empty: there is none.
    let code: String
    /// The service's words.
    let message: String
    /// The service's time.
    let date: UTCTime?

    init(status: Int, code: String, message: String, date: UTCTime? = nil) {
        self.status = status
        self.code = code
        self.message = message
        self.date = date
    }

    private struct Body: Decodable {
        let type: String?
        let message: String?

        private enum CodingKeys: String, CodingKey {
            case type = "__type"
            case message
            case capitalMessage = "Message"
        }

        init(from decoder: any Decoder) throws {
            let members = try decoder.container(keyedBy: CodingKeys.self)
            self.type = try? members.decode(String.self, forKey: .type)
            self.message =
                (try? members.decode(String.self, forKey: .message))
                ?? (try? members.decode(String.self, forKey: .capitalMessage))
        }
    }

    /// Reads an answer with another status than 200.
    init(_ response: HTTPResponse) {
        let body = try? JSONDecoder().decode(Body.self, from: Data(response.body))
        // What stands before a service may answer with the XML of older protocols.
        let text = body == nil ? String(decoding: response.body.prefix(4096), as: UTF8.self) : ""
        let type = body?.type ?? response.value(of: "x-amzn-errortype") ?? XMLText.element("Code", of: text) ?? ""
        // `com.amazonaws.sqs#QueueDoesNotExist` in a body, `QueueDoesNotExist:http://…` in a header.
        let name = type.split(separator: "#").last?.split(separator: ":").first.map(String.init) ?? ""
        self.init(
            status: response.status, code: name, message: body?.message ?? XMLText.element("Message", of: text) ?? "",
            date: response.value(of: "date").flatMap { UTCTime(httpDate: $0) })
    }

    var meaning: Meaning {
        if let meaning = Self.meaning(ofCode: self.code) {
            return meaning == .invalid && self.isAboutTarget ? .missing : meaning
        }
        switch self.status {
        case 429: return .throttled
        case 401: return .unauthorized
        case 413: return .invalid
        // Without a code it is no answer of the service: an endpoint that is another server's, or a proxy, has nothing against the messages.
        case 400: return self.code.isEmpty ? .unavailable : .unclear
        case 403: return self.code.isEmpty ? .unavailable : .forbidden
        // A path, a method, a host: the services refuse no message by these.
        default: return .unavailable
        }
    }

    /// Whether the parameter that is refused is what messages go to. The services' codes are the same as for messages.
    private var isAboutTarget: Bool {
        self.message.hasPrefix("Invalid parameter: TopicArn") || self.message.hasPrefix("Invalid parameter: TargetArn")
            || self.message.contains("at 'streamName' failed") || self.message.contains("EventBusName' failed")
            || self.message.contains("eventBusName' failed")
    }

    /// What a code means, of a request or of one of its messages; nil: it does not say.
    static func meaning(ofCode code: String) -> Meaning? {
        // Some come with a suffix, some without; those of the older protocol begin with “AWS.SimpleQueueService.”.
        var name = code.split(separator: ".").last.map(String.init) ?? code
        for suffix in ["Exception", "Error"] where name.hasSuffix(suffix) { name.removeLast(suffix.count) }
        if let meaning = self.meanings[name] { return meaning }
        // The key management's errors are passed on, `KmsDisabled` or `KMS.DisabledException`: none is about a message.
        let small = code.lowercased()
        guard small.hasPrefix("kms") || small.contains(".kms") else { return nil }
        return small.contains("throttl") ? .throttled : .forbidden
    }

    private static let meanings: [String: Meaning] = {
        var meanings: [String: Meaning] = [:]
        for (meaning, names) in [
            (
                Meaning.throttled,
                [
                    "RequestThrottled", "Throttling", "Throttled", "ThrottledRequest", "TooManyRequests",
                    "RequestLimitExceeded", "ProvisionedThroughputExceeded", "LimitExceeded", "BandwidthLimitExceeded",
                    "SlowDown", "PriorRequestNotComplete", "KmsThrottled", "KMSThrottling", "OverLimit",
                ]
            ),
            (.expired, ["ExpiredToken", "TokenRefreshRequired"]),
            (
                .unauthorized,
                [
                    "InvalidClientTokenId", "UnrecognizedClient", "InvalidSignature", "SignatureDoesNotMatch",
                    "IncompleteSignature", "MissingAuthenticationToken", "MissingAuthentication", "InvalidAccessKeyId",
                    "InvalidSecurity", "InvalidToken", "AuthFailure", "OptInRequired", "RequestTimeTooSkewed",
                    "RequestExpired", "RequestInTheFuture",
                ]
            ),
            (
                .forbidden,
                [
                    "AccessDenied", "UnauthorizedOperation", "NotAuthorized", "Authorization", "NotAuthorizedForSource",
                    "NotAuthorizedForDetailType", "KmsAccessDenied", "KMSAccessDenied",
                    "KmsDisabled", "KMSDisabled", "KmsNotFound", "KMSNotFound", "KmsInvalidState", "KMSInvalidState",
                    "KmsOptInRequired", "KMSOptInRequired", "KmsInvalidKeyUsage",
                ]
            ),
            (
                .missing,
                [
                    "QueueDoesNotExist", "NonExistentQueue", "QueueDeletedRecently", "InvalidAddress",
                    "ResourceNotFound", "NotFound", "UnsupportedOperation",
                ]
            ),
            (
                .invalid,
                [
                    "InvalidMessageContents", "BatchRequestTooLong", "InvalidParameter", "ParameterValueInvalid",
                    "MalformedDetail", "MessageTooLong", "InvalidParameterValue",
                    "InvalidParameterCombination", "MissingParameter", "InvalidAttributeName", "InvalidAttributeValue",
                    "InvalidBatchEntryId", "EmptyBatchRequest", "TooManyEntriesInBatchRequest",
                    "BatchEntryIdsNotDistinct",
                    "Validation", "InvalidArgument", "Serialization", "RequestEntityTooLarge", "RequestTooLarge",
                ]
            ),
            (
                .unavailable,
                [
                    "InternalFailure", "InternalError", "InternalServer", "ServiceUnavailable", "RequestTimeout",
                    "ResourceInUse", "UnknownOperation", "InvalidAction", "InvalidHttpMethod", "InvalidMethod",
                    "MethodNotAllowed", "MalformedHttpRequest", "MalformedQueryString", "UnsupportedProtocol",
                ]
            ),
        ] {
            for name in names { meanings[name] = meaning }
        }
        // Their names end like those with a suffix.
        meanings["Internal"] = .unavailable
        return meanings
    }()

    /// Whether the request's time is what is wrong, by the service's words. The `Date` of anything that answers would else set the time.
    var isAboutTime: Bool {
        if ["RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"].contains(where: self.code.hasPrefix) {
            return true
        }
        guard ["InvalidSignature", "SignatureDoesNotMatch", "AuthFailure"].contains(where: self.code.hasPrefix) else {
            return false
        }
        let message = self.message.lowercased()
        return message.contains("expired") || message.contains("not yet current")
    }

    /// The code and the service's words. Of a wrong signature only the code: the words repeat what was signed, with the session's token.
    var description: String {
        let name = self.code.isEmpty ? "status \(self.status)" : self.code
        let isSilent = self.message.isEmpty || self.code.contains("Signature")
        return isSilent ? name : "\(name): \(self.message.prefix(400))"
    }
}
