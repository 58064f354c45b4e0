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
        /// The queue or stream is not there.
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
        if let meaning = Self.meaning(ofCode: self.code) { return meaning }
        switch self.status {
        case 429: return .throttled
        case 401: return .unauthorized
        case 403: return .forbidden
        case 413: return .invalid
        // Without a code it is no answer of the service: an endpoint that is another server's has nothing against the messages.
        case 400..<500: return self.code.isEmpty ? .unavailable : .unclear
        default: return .unavailable
        }
    }

    /// What a code means, of a request or of one of its messages; nil: it does not say.
    static func meaning(ofCode code: String) -> Meaning? {
        // Some come with a suffix, some without; those of the older protocol begin with “AWS.SimpleQueueService.”.
        var name = code.split(separator: ".").last.map(String.init) ?? code
        for suffix in ["Exception", "Error"] where name.hasSuffix(suffix) { name.removeLast(suffix.count) }
        return self.meanings[name]
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
                    "ResourceNotFound", "NotFound",
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
                    "ResourceInUse",
                ]
            ),
        ] {
            for name in names { meanings[name] = meaning }
        }
        // Their names end like those with a suffix.
        meanings["Internal"] = .unavailable
        return meanings
    }()

    /// Whether the request's time may be what is wrong.
    var mayBeAboutTime: Bool {
        let names = [
            "RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture", "InvalidSignature", "SignatureDoesNotMatch",
            "AuthFailure",
        ]
        return names.contains { self.code.hasPrefix($0) } || (self.status == 403 && self.code.isEmpty)
    }

    /// The code and the service's words. Of a wrong signature only the code: the words repeat what was signed, with the session's token.
    var description: String {
        let name = self.code.isEmpty ? "status \(self.status)" : self.code
        let isSilent = self.message.isEmpty || self.code.contains("Signature")
        return isSilent ? name : "\(name): \(self.message.prefix(400))"
    }
}
