import OutboxHTTP
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Asks for the token of a service account that another account stands for
/// (https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken).
struct ImpersonationTokenSource: TokenSource {
    let source: any TokenSource
    let endpoint: TokenEndpoint
    /// In seconds.
    let lifetime: Int

    private struct Issued: Decodable {
        let accessToken: String
        let expireTime: String
    }

    func token() async throws -> PubSubCredentials.Token {
        let own = try await self.source.token()
        var body = JSONWriter()
        body.beginObject()
        body.name("scope")
        body.beginArray()
        body.string(TokenScope.pubSub)
        body.endArray()
        body.name("lifetime")
        body.string("\(self.lifetime)s")
        body.endObject()
        let response = try await self.endpoint.send(
            HTTPRequest(
                "POST", self.endpoint.url,
                headers: [
                    HTTPHeader("content-type", "application/json"), HTTPHeader("authorization", "Bearer \(own.value)"),
                ], body: body.bytes))
        guard let issued = try? JSONDecoder().decode(Issued.self, from: Data(response.body)),
            !issued.accessToken.isEmpty
        else {
            throw TokenFailure("\(self.endpoint.name), \(self.endpoint.url), has answered without a token")
        }
        return PubSubCredentials.Token(issued.accessToken, expiresIn: self.lifetime(until: issued.expireTime, response))
    }

    /// By the server's clock, where it says what time it is.
    private func lifetime(until text: String, _ response: HTTPResponse) -> Duration {
        guard let end = try? Date(text, strategy: .iso8601) else { return .seconds(self.lifetime) }
        let now = response.value(of: "date").flatMap { ClockDifference.date($0) } ?? Date()
        return .seconds(min(max(0, end.timeIntervalSince(now)), 86_400))
    }
}
