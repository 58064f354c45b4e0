import Outbox
import OutboxHTTP
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A file of credentials, as Google's tools write it (https://google.aip.dev/auth/4110).
enum CredentialFile: Sendable {
    case serviceAccount(ServiceAccount)
    case user(User)
    case federation(Federation)
    indirect case impersonation(Impersonation)

    /// A service account and its key.
    struct ServiceAccount: Sendable {
        let email: String
        let keyID: String?
        let key: RSAKey
        let tokenURL: String
        let quotaProject: String?
    }

    /// A user, who has let an application in.
    struct User: Sendable {
        let clientID: String
        let clientSecret: String
        let refreshToken: String
        let tokenURL: String
        let quotaProject: String?
    }

    /// A workload of another provider of identities.
    struct Federation: Sendable {
        let audience: String
        let subjectTokenType: String
        let tokenURL: String
        let impersonationURL: String?
        let impersonationLifetime: Int?
        let clientID: String?
        let clientSecret: String?
        let subject: Subject
        let quotaProject: String?
    }

    /// Where a workload's own token is.
    enum Subject: Sendable {
        case file(String, field: String?)
        case url(String, headers: [HTTPHeader], field: String?)
    }

    /// A service account that another account stands for.
    struct Impersonation: Sendable {
        let url: String
        let source: CredentialFile
        let quotaProject: String?
    }

    /// Reads a file.
    ///
    /// - Throws: A `TransportConfigurationError` that has nothing of the file's secrets.
    init(path: String) throws(TransportConfigurationError) {
        if let defect = ReadableFile.defect(of: path) { throw TransportConfigurationError("credentials: \(defect)") }
        guard let data = try? Data(contentsOf: URL(filePath: path)) else {
            throw TransportConfigurationError("credentials: the file cannot be read")
        }
        guard let content = try? JSONDecoder().decode(CredentialFileContent.self, from: data) else {
            throw TransportConfigurationError(
                "credentials: the file is not what Google’s tools write, which is an object in JSON")
        }
        do throws(InvalidText) {
            self = try content.credentials()
        } catch {
            throw TransportConfigurationError("credentials: \(error)")
        }
    }

    /// The project that is charged for requests; nil: the topic's.
    var quotaProject: String? {
        switch self {
        case .serviceAccount(let account): account.quotaProject
        case .user(let user): user.quotaProject
        case .federation(let federation): federation.quotaProject
        case .impersonation(let impersonation): impersonation.quotaProject
        }
    }
}
