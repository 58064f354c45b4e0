import HTTPTypes
import Hummingbird
import HummingbirdCore
import OutboxPrometheus

/// The pages of the listener: who asks for what gets which answer.
struct ListenerPages: HTTPResponder {
    typealias Context = BasicRequestContext

    let health: @Sendable () -> RelayHealth
    let metrics: @Sendable (ExpositionFormat) async -> [UInt8]

    func respond(to request: Request, context: Context) async throws -> Response {
        let answer = await self.answer(to: request)
        return request.method == .head ? answer.createHeadResponse() : answer
    }

    private func answer(to request: Request) async -> Response {
        // Nothing takes a body, and what is not read must not hold up the connection.
        if request.head.hasBody { return Self.text(.contentTooLarge, "no page takes a body", [.connection: "close"]) }
        let page: Page
        switch request.uri.path {
        case "/livez": page = .liveness
        case "/readyz": page = .readiness
        case "/metrics": page = .metrics
        default: return Self.text(.notFound, "there are /livez, /readyz and /metrics")
        }
        guard request.method == .get || request.method == .head else {
            return Self.text(.methodNotAllowed, "a page can be got", [.allow: "GET, HEAD"])
        }
        switch page {
        case .liveness:
            let isAlive = self.health().isAlive
            return Self.text(isAlive ? .ok : .serviceUnavailable, isAlive ? "ok" : "the relay has ended")
        case .readiness: return self.readiness(request)
        case .metrics:
            let format = ExpositionFormat(accept: Self.accept(request))
            return Self.response(.ok, format.contentType, await self.metrics(format), [.vary: "Accept"])
        }
    }

    private enum Page {
        case liveness, readiness, metrics
    }

    private func readiness(_ request: Request) -> Response {
        let readiness = Readiness(self.health())
        let status: HTTPResponse.Status = readiness.isReady ? .ok : .serviceUnavailable
        let wantsJSON =
            request.uri.queryParameters["format"] == "json"
            || Self.accept(request).map { AcceptHeader($0).prefers("application/json", to: "text/plain") } ?? false
        return wantsJSON
            ? Self.response(status, "application/json", readiness.json, [.vary: "Accept"])
            : Self.text(status, readiness.text, [.vary: "Accept"])
    }

    /// The header; it may come in several lines.
    private static func accept(_ request: Request) -> String? {
        let values = request.headers[values: .accept]
        return values.isEmpty ? nil : values.joined(separator: ",")
    }

    private static func text(_ status: HTTPResponse.Status, _ text: String, _ fields: HTTPFields = [:]) -> Response {
        self.response(status, "text/plain; charset=utf-8", Array((text + "\n").utf8), fields)
    }

    private static func response(
        _ status: HTTPResponse.Status, _ type: String, _ body: [UInt8], _ fields: HTTPFields
    ) -> Response {
        var headers: HTTPFields = [
            .contentType: type, .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
        ]
        for field in fields { headers[field.name] = field.value }
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
    }
}
