import OutboxHTTP
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A server that issues tokens: sends requests, and says what is wrong with an answer.
struct TokenEndpoint: Sendable {
    let client: HTTPClient
    /// What the server is, for an error: “the token server”.
    let name: String
    let url: String

    /// What a server of OAuth 2.0 answers (RFC 6749, 5.1).
    private struct Issued: Decodable {
        let access_token: String
        let expires_in: Double?
    }

    /// What servers answer that refuse: of OAuth 2.0 (RFC 6749, 5.2), or of Google's other services.
    private struct Refused: Decodable {
        let error: String?
        let error_description: String?

        private enum Key: CodingKey { case error, error_description }
        private struct Status: Decodable {
            let message: String?
            let status: String?
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            if let status = try? container.decode(Status.self, forKey: .error) {
                self.error = status.status
                self.error_description = status.message
            } else {
                self.error = try? container.decode(String.self, forKey: .error)
                self.error_description = try? container.decode(String.self, forKey: .error_description)
            }
        }
    }

    /// Asks for a token with a form.
    func token(form: [(name: String, value: String)], headers: [HTTPHeader] = []) async throws
        -> PubSubCredentials.Token
    {
        let body = form.map { "\(Self.encoded($0.name))=\(Self.encoded($0.value))" }.joined(separator: "&")
        return try await self.token(
            HTTPRequest(
                "POST", self.url,
                headers: [HTTPHeader("content-type", "application/x-www-form-urlencoded")] + headers,
                body: Array(body.utf8)))
    }

    /// Asks for a token.
    func token(_ request: HTTPRequest) async throws -> PubSubCredentials.Token {
        let response = try await self.send(request)
        guard let issued = try? JSONDecoder().decode(Issued.self, from: Data(response.body)),
            !issued.access_token.isEmpty
        else {
            throw TokenFailure("\(self.name), \(self.url), has answered without a token")
        }
        // As Google's libraries do where none is said.
        return PubSubCredentials.Token(issued.access_token, expiresIn: .seconds(issued.expires_in ?? 3600))
    }

    /// Sends a request, and takes an answer that is a success.
    func send(_ request: HTTPRequest) async throws -> HTTPResponse {
        let response: HTTPResponse
        do {
            response = try await self.client.send(request)
        } catch let failure as HTTPFailure {
            throw TokenFailure("\(self.name), \(self.url), is out of reach: \(failure.reason)")
        }
        guard (200..<300).contains(response.status), !response.isCut else {
            throw TokenFailure("\(self.name), \(self.url), refuses: \(Self.reason(of: response))")
        }
        return response
    }

    private static func reason(of response: HTTPResponse) -> String {
        let refused = try? JSONDecoder().decode(Refused.self, from: Data(response.body))
        let parts = [refused?.error, refused?.error_description].compactMap { $0 }.filter { !$0.isEmpty }
        let text = GRPCStatus.shortened(parts.joined(separator: ": "))
        let status = "HTTP \(response.status)"
        let clock = ClockDifference(response).map { "; \($0)" } ?? ""
        return (text.isEmpty ? status : "\(status), \(text)") + clock
    }

    /// As a value of a form.
    static func encoded(_ text: String) -> String {
        text.utf8.map { byte in
            HTTPHeader.isUnreserved(byte)
                ? String(UnicodeScalar(byte)) : "%" + Hexadecimal.encoded([byte]).uppercased()
        }.joined()
    }

    /// Why a token is not asked for at an address, because what is sent there could be read on its way; nil: it is.
    static func defect(of url: String, _ name: String) -> String? {
        guard let host = HTTPRequest("GET", url).host else { return "“\(name)” is no address" }
        if url.lowercased().hasPrefix("https://") || ["localhost", "127.0.0.1", "::1"].contains(host) { return nil }
        return "“\(name)” is an address without TLS"
    }
}
