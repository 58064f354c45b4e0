import OutboxHTTP
import OutboxRuntime

/// The members of a file of credentials, of whatever type it is.
struct CredentialFileContent: Decodable {
    struct Source: Decodable {
        struct Format: Decodable {
            let type: String?
            let subject_token_field_name: String?
        }
        let file: String?
        let url: String?
        let headers: [String: String]?
        let format: Format?
        let environment_id: String?
    }

    struct Lifetime: Decodable {
        let token_lifetime_seconds: Int?
    }

    final class Nested: Decodable {
        let content: CredentialFileContent

        init(from decoder: any Decoder) throws { self.content = try CredentialFileContent(from: decoder) }
    }

    let type: String?
    let client_email: String?
    let private_key: String?
    let private_key_id: String?
    let token_uri: String?
    let client_id: String?
    let client_secret: String?
    let refresh_token: String?
    let quota_project_id: String?
    let audience: String?
    let subject_token_type: String?
    let token_url: String?
    let service_account_impersonation_url: String?
    let service_account_impersonation: Lifetime?
    let credential_source: Source?
    let source_credentials: Nested?

    private static let types = [
        "service_account", "authorized_user", "external_account", "impersonated_service_account",
    ]
    private static let googleTokenURL = "https://oauth2.googleapis.com/token"

    func credentials() throws(InvalidText) -> CredentialFile {
        switch self.type {
        case "service_account": return .serviceAccount(try self.serviceAccount())
        case "authorized_user": return .user(try self.user())
        case "external_account": return .federation(try self.federation())
        case "impersonated_service_account": return .impersonation(try self.impersonation())
        case let type:
            let shown = type.map { "“\(Redaction.shown($0))”" } ?? "none"
            throw InvalidText("the file’s type is \(shown); known are \(Self.types.joined(separator: ", "))")
        }
    }

    private func serviceAccount() throws(InvalidText) -> CredentialFile.ServiceAccount {
        let key: RSAKey
        do throws(InvalidText) {
            key = try RSAKey(pem: try Self.need(self.private_key, "private_key"))
        } catch {
            throw InvalidText("“private_key”: \(error)")
        }
        return CredentialFile.ServiceAccount(
            email: try Self.need(self.client_email, "client_email"), keyID: self.private_key_id, key: key,
            tokenURL: try Self.address(self.token_uri ?? Self.googleTokenURL, "token_uri"),
            quotaProject: self.quota_project_id)
    }

    private func user() throws(InvalidText) -> CredentialFile.User {
        CredentialFile.User(
            clientID: try Self.need(self.client_id, "client_id"),
            clientSecret: try Self.need(self.client_secret, "client_secret"),
            refreshToken: try Self.need(self.refresh_token, "refresh_token"),
            tokenURL: try Self.address(self.token_uri ?? Self.googleTokenURL, "token_uri"),
            quotaProject: self.quota_project_id)
    }

    private func federation() throws(InvalidText) -> CredentialFile.Federation {
        CredentialFile.Federation(
            audience: try Self.need(self.audience, "audience"),
            subjectTokenType: try Self.need(self.subject_token_type, "subject_token_type"),
            tokenURL: try Self.address(try Self.need(self.token_url, "token_url"), "token_url"),
            impersonationURL: try Self.address(self.service_account_impersonation_url),
            impersonationLifetime: self.service_account_impersonation?.token_lifetime_seconds,
            clientID: self.client_id, clientSecret: self.client_secret, subject: try self.subject(),
            quotaProject: self.quota_project_id)
    }

    private func subject() throws(InvalidText) -> CredentialFile.Subject {
        guard let source = self.credential_source else { throw InvalidText("the file has no “credential_source”") }
        var field: String?
        if source.format?.type == "json" {
            field = try Self.need(source.format?.subject_token_field_name, "subject_token_field_name")
        }
        if source.environment_id != nil {
            throw InvalidText("a source of credentials that is AWS is not supported; give a closure in code")
        }
        if let file = source.file { return .file(file, field: field) }
        guard let url = source.url else {
            throw InvalidText(
                "the source of credentials is neither a file nor a URL; programs and certificates are not supported")
        }
        let headers = (source.headers ?? [:]).sorted { $0.key < $1.key }.map { HTTPHeader($0.key, $0.value) }
        return .url(url, headers: headers, field: field)
    }

    private func impersonation() throws(InvalidText) -> CredentialFile.Impersonation {
        guard let source = self.source_credentials else { throw InvalidText("the file has no “source_credentials”") }
        return CredentialFile.Impersonation(
            url: try Self.address(
                try Self.need(self.service_account_impersonation_url, "service_account_impersonation_url"),
                "service_account_impersonation_url"),
            source: try source.content.credentials(), quotaProject: self.quota_project_id)
    }

    private static func need(_ value: String?, _ name: String) throws(InvalidText) -> String {
        guard let value, !value.isEmpty else { throw InvalidText("the file has no “\(name)”") }
        return value
    }

    private static func address(_ url: String?) throws(InvalidText) -> String? {
        guard let url else { return nil }
        return try self.address(url, "service_account_impersonation_url")
    }

    private static func address(_ url: String, _ name: String) throws(InvalidText) -> String {
        if let defect = TokenEndpoint.defect(of: url, name) { throw InvalidText(defect) }
        return url
    }
}
