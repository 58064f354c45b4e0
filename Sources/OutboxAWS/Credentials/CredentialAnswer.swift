#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Credentials as containers and instances hand them out.
struct CredentialAnswer: Decodable {
    private let accessKeyID: String
    private let secretAccessKey: String
    private let token: String?
    private let expiration: String?

    private enum CodingKeys: String, CodingKey {
        case accessKeyID = "AccessKeyId"
        case secretAccessKey = "SecretAccessKey"
        case token = "Token"
        case expiration = "Expiration"
    }

    /// Reads an answer. What is wrong with it is not said, as it may have the secret in it.
    static func credentials(in body: [UInt8], from source: String) throws(CredentialError) -> AWSCredentials {
        guard let answer = try? JSONDecoder().decode(CredentialAnswer.self, from: Data(body)) else {
            throw CredentialError(.failed, "\(source) answered with something that is no access key")
        }
        return try self.credentials(
            answer.accessKeyID, answer.secretAccessKey, answer.token, expiration: answer.expiration, from: source)
    }

    /// Credentials of these parts.
    static func credentials(
        _ id: String, _ secret: String, _ token: String?, expiration text: String?, from source: String
    ) throws(CredentialError) -> AWSCredentials {
        var expiration: Date?
        if let text {
            guard let time = UTCTime(iso8601: text) else {
                throw CredentialError(.failed, "\(source) answered with an expiration that is no time")
            }
            expiration = Date(timeIntervalSince1970: Double(time.seconds))
        }
        return AWSCredentials(accessKeyID: id, secretAccessKey: secret, sessionToken: token, expiration: expiration)
    }
}
