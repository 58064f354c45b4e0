import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore
import OutboxPrometheus

/// The pages of the listener: who asks for what gets which answer.
struct ListenerPages: HTTPResponder {
    typealias Context = ListenerContext

    /// How the relay of the process is; nil: it has none.
    var health: (@Sendable () -> RelayHealth)?
    /// The metrics of the process; nil: it keeps none.
    var metrics: (@Sendable (ExpositionFormat) async -> [UInt8])?
    /// The web page, which has all other paths; nil: there is none.
    var web: WebPages?

    func respond(to request: Request, context: Context) async throws -> Response {
        let answer = await self.answer(to: request, from: context.remote)
        return request.method == .head ? answer.createHeadResponse() : answer
    }

    private func answer(to request: Request, from remote: String) async -> Response {
        // The one thing that takes a body.
        if request.method == .post, let web { return await web.respond(to: request, remote: remote) }
        // Nothing takes a body, and what is not read must not hold up the connection.
        if request.head.hasBody { return Self.text(.contentTooLarge, "no page takes a body", [.connection: "close"]) }
        let page: Page
        switch (request.uri.path, self.health, self.metrics) {
        case ("/livez", let health, _): page = .liveness(health)
        case ("/readyz", let health?, _): page = .readiness(health)
        case ("/metrics", _, let metrics?): page = .metrics(metrics)
        default:
            if let web { return await web.respond(to: request, remote: remote) }
            return Self.text(.notFound, "there are /livez, /readyz and /metrics")
        }
        guard request.method == .get || request.method == .head else {
            return Self.text(.methodNotAllowed, "a page can be got", [.allow: "GET, HEAD"])
        }
        switch page {
        case .liveness(let health):
            // Where there is no relay, that it answers says it all.
            let isAlive = health?().isAlive ?? true
            return Self.text(isAlive ? .ok : .serviceUnavailable, isAlive ? "ok" : "the relay has ended")
        case .readiness(let health): return self.readiness(Readiness(health()), request)
        case .metrics(let metrics):
            let format = ExpositionFormat(accept: Self.accept(request))
            return Self.response(.ok, format.contentType, await metrics(format), [.vary: "Accept"])
        }
    }

    private enum Page {
        case liveness((@Sendable () -> RelayHealth)?)
        case readiness(@Sendable () -> RelayHealth)
        case metrics(@Sendable (ExpositionFormat) async -> [UInt8])
    }

    private func readiness(_ readiness: Readiness, _ request: Request) -> Response {
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

/// What is known of a request besides what it says.
struct ListenerContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// The address that it comes from: that of a proxy, where there is one.
    let remote: String

    init(source: ApplicationRequestContextSource) {
        self.coreContext = CoreRequestContextStorage(source: source)
        self.remote = source.channel.remoteAddress?.ipAddress ?? "unknown"
    }
}
