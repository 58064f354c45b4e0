import OutboxHTTP
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Exchanges a workload's own token for one of Google's (https://google.aip.dev/auth/4117, RFC 8693).
struct FederationTokenSource: TokenSource {
    let federation: CredentialFile.Federation
    let endpoint: TokenEndpoint
    let scope: String

    func token() async throws -> PubSubCredentials.Token {
        var headers: [HTTPHeader] = []
        if let id = self.federation.clientID {
            let text = "\(id):\(self.federation.clientSecret ?? "")"
            headers.append(HTTPHeader("authorization", "Basic \(Base64.encoded(Array(text.utf8)))"))
        }
        return try await self.endpoint.token(
            form: [
                ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
                ("audience", self.federation.audience),
                ("scope", self.scope),
                ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
                ("subject_token_type", self.federation.subjectTokenType),
                ("subject_token", try await self.subjectToken()),
            ], headers: headers)
    }

    /// The workload's own token, read each time: its file is replaced before it expires.
    private func subjectToken() async throws -> String {
        switch self.federation.subject {
        case .file(let path, let field):
            guard let data = try? Data(contentsOf: URL(filePath: path)) else {
                throw TokenFailure(
                    "the workload’s token: \(ReadableFile.defect(of: path) ?? "the file cannot be read")")
            }
            return try Self.token(data, field: field)
        case .url(let url, let headers, let field):
            let endpoint = TokenEndpoint(
                client: self.endpoint.client, name: "the server of the workload’s token", url: url)
            let response = try await endpoint.send(HTTPRequest("GET", url, headers: headers))
            return try Self.token(Data(response.body), field: field)
        }
    }

    private static func token(_ data: Data, field: String?) throws(TokenFailure) -> String {
        let token: String?
        if let field {
            let members = try? JSONDecoder().decode([String: Member].self, from: data)
            token = members?[field]?.text
        } else {
            token = String(validating: data, as: UTF8.self)
        }
        // Files end with a line break.
        let text = token.map { String($0.drop { $0.isWhitespace }.prefix { !$0.isWhitespace }) }
        guard let text, !text.isEmpty else {
            throw TokenFailure("the workload’s token: there is none\(field.map { " as “\($0)”" } ?? "")")
        }
        return text
    }

    /// A member that is a text, or something else.
    private struct Member: Decodable {
        let text: String?

        init(from decoder: any Decoder) throws { self.text = try? decoder.singleValueContainer().decode(String.self) }
    }
}
