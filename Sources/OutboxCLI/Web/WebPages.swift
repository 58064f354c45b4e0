import ArgumentParser
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import OutboxPostgres
import OutboxRuntime
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The web page: who asks for what gets which answer.
///
/// It is written by the server and reads well without a script. All links are relative, so that a proxy can have it below any path.
final class WebPages: Sendable {
    /// How many pages are kept up to date at the same time; what more there are have to be loaded again by hand.
    static let mostStreams = 32
    /// How long a page is kept up to date by one answer; then the browser asks again. Less than a connection may wait for an answer.
    static let streamTime = Duration.seconds(20)
    /// The longest form.
    private static let longestForm = 64 << 10
    /// A wrong password is answered after that.
    private static let pause = Duration.seconds(1)

    private let current: Mutex<WebSettings>
    private let access: WebAccess
    private let looks: DatabaseLooks
    private let outbox: WebOutbox
    private let doctor: DoctorVisits
    private let templates = WebTemplates()
    private let logger: Logger
    private let streams = Atomic<Int>(0)
    private let wrongPasswords = Atomic<Int>(0)
    private let lastView = Mutex<ContinuousClock.Instant?>(nil)

    /// - Parameter isLoopback: Whether only this machine reaches the page.
    init(settings: WebSettings, isLoopback: Bool, looks: DatabaseLooks, logger: Logger) {
        self.current = Mutex(settings)
        self.access = WebAccess(password: settings.password, isLoopback: isLoopback)
        self.looks = looks
        self.outbox = WebOutbox(looks: looks)
        self.doctor = DoctorVisits()
        self.logger = logger
    }

    /// Does what the page needs besides answers, until the task is cancelled: the last hour is there when it is opened again.
    func run() async {
        while !Task.isCancelled {
            let isWatched = self.lastView.withLock { $0 }.map { .now - $0 < .seconds(3600) } ?? false
            if isWatched { _ = await self.looks.current() }
            try? await Task.sleep(for: .seconds(15))
        }
        await self.outbox.close()
    }

    private var settings: WebSettings { self.current.withLock { $0 } }

    /// Shows how the relay that follows delivers, and what it keeps of the log.
    func follow(routes: [String?: String], segments: SegmentPolicy) {
        self.current.withLock { ($0.routes, $0.segments) = (routes, segments) }
    }

    // MARK: Answers

    /// - Parameter remote: Who asks, for the log.
    func respond(to request: Request, remote: String) async -> Response {
        // What another site lets a browser ask for, and is no link to the page, is only to take its place.
        if Self.field("Sec-Fetch-Site", request) == "cross-site", Self.field("Sec-Fetch-Mode", request) != "navigate" {
            return Self.plain(.forbidden, "the page is no part of another site")
        }
        let user: String
        switch self.access.decide(
            authorization: request.headers[.authorization], host: request.head.authority,
            isForwarded: request.headers.areForwarded)
        {
        case .admitted(let name): user = name
        case .refused(let reason): return Self.plain(.forbidden, reason)
        case .challenged(let isWrong):
            if isWrong { await self.noteWrongPassword(remote) }
            return Self.plain(
                .unauthorized, "a name of your choice and the page's password are needed",
                [.wwwAuthenticate: "Basic realm=\"outbox\", charset=\"UTF-8\""])
        }
        do {
            return try await self.answer(to: request, Visitor(user: user, remote: remote))
        } catch let refusal as WebRefusal {
            return self.refused(refusal, user)
        } catch {
            return self.refused(Self.refusal(error), user)
        }
    }

    private struct Visitor {
        let user: String
        let remote: String
    }

    private func answer(to request: Request, _ visitor: Visitor) async throws -> Response {
        let path = request.uri.path
        if path == "/change" {
            guard request.method == .post else { throw WebRefusal(.methodNotAllowed, "A change is sent by a form.") }
            return try await self.change(request, visitor)
        }
        guard request.method == .get || request.method == .head else {
            throw WebRefusal(.methodNotAllowed, "A page can only be got.")
        }
        if let file = WebTemplates.file(path) { return Self.response(.ok, file.type, file.bytes) }
        guard let fields = FormFields(parsing: request.uri.query ?? "") else {
            throw WebRefusal(.badRequest, "The query of the address is none.")
        }
        self.looks.keepRates()
        self.lastView.withLock { $0 = .now }
        switch path {
        case "/":
            let view = try await self.overview(fields)
            var values = view.values
            values["search"] = view.search ?? ""
            values["isSearch"] = view.search != nil
            values["events"] = "events?\(view.fields(page: view.page).text)"
            return self.page("overview", "Destinations", values, visitor.user, fields)
        case "/events":
            _ = try await self.overview(fields)
            return try self.events(fields)
        case "/destination":
            guard let name = fields["name"] else { throw WebRefusal(.badRequest, "The address names no destination.") }
            let view = DestinationView(name: name, look: await self.looks.current(), settings: self.settings)
            return self.page("destination", name.plain(200), await view.values(self.outbox), visitor.user, fields)
        case "/dead-letters": return try await self.deadLetters(fields, visitor.user)
        case "/deferred": return try await self.deferred(fields, visitor.user)
        case "/dead-letter", "/deferred-message":
            return try await self.message(path, fields, visitor.user)
        case "/relays":
            let view = RelaysView(look: await self.looks.current())
            return self.page("relays", "Relays", view.values, visitor.user, fields)
        case "/doctor":
            let target = self.outbox.target
            let view = DoctorView(findings: try await self.doctor.findings(target), schema: target.schema)
            return self.page("doctor", "Doctor", view.values, visitor.user, fields)
        case "/schema":
            let migrations = try await self.outbox.withConnection { connection, target in
                try await OutboxMigrator(schema: target.schema).status(on: connection)
            }
            let look = await self.looks.current()
            let view = SchemaView(
                migrations: migrations, segments: look.status?.segments ?? [], policy: self.settings.segments)
            return self.page("schema", "Schema and log", view.values, visitor.user, fields)
        case "/confirm":
            try self.checkChangesAreAllowed()
            let change = try WebChange(fields)
            let (count, mark) = try await self.outbox.withConnection(limit: WebOutbox.changeLimit) {
                connection, target in
                (try await change.count(target, on: connection), WebOutbox.mark(of: target))
            }
            let view = ConfirmView(change: change, count: count, token: self.access.formToken, outbox: mark)
            return self.page("confirm", change.kind.verb, view.values, visitor.user, fields)
        default: throw WebRefusal(.notFound, "There is no such page.")
        }
    }

    private func overview(_ fields: FormFields) async throws -> OverviewView {
        let page = fields["page"].map { Int($0) } ?? 0
        guard let page, (0...1_000_000).contains(page) else {
            throw WebRefusal(.badRequest, "That is no number of a page.")
        }
        return OverviewView(
            look: await self.looks.current(), history: self.looks.history.all, search: fields["q"], page: page)
    }

    private func deadLetters(_ fields: FormFields, _ user: String) async throws -> Response {
        let query = try FailureQuery(fields)
        let (messages, count) = try await self.outbox.withConnection { connection, target in
            let inspector = OutboxInspector(schema: target.schema)
            let filter = query.deadLetters(of: target.subscription)
            let messages = try await inspector.deadLetters(
                matching: filter, limit: FailureQuery.pageSize + 1, offset: query.page * FailureQuery.pageSize,
                on: connection)
            return (
                messages,
                try await Self.count { try await inspector.replay(matching: filter, dryRun: true, on: connection) }
            )
        }
        let view = MessagesView(
            place: ("dead-letters", "dead-letter"), query: query, messages: messages, count: count,
            canChange: self.settings.allowsChanges)
        return self.page("messages", "Dead letters", view.values, user, fields)
    }

    private func deferred(_ fields: FormFields, _ user: String) async throws -> Response {
        let query = try FailureQuery(fields)
        let (messages, count) = try await self.outbox.withConnection { connection, target in
            let inspector = OutboxInspector(schema: target.schema)
            let filter = query.deferred(of: target.subscription)
            let messages = try await inspector.deferred(
                matching: filter, limit: FailureQuery.pageSize + 1, offset: query.page * FailureQuery.pageSize,
                on: connection)
            return (
                messages,
                try await Self.count { try await inspector.discard(matching: filter, dryRun: true, on: connection) }
            )
        }
        let view = MessagesView(
            place: ("deferred", "deferred-message"), query: query, messages: messages, count: count,
            canChange: self.settings.allowsChanges)
        return self.page("messages", "Deferred messages", view.values, user, fields)
    }

    /// A count, unless the server takes too long for it.
    private static func count(_ body: () async throws -> Int) async throws -> Int? {
        do {
            return try await body()
        } catch let error as LibPQError where error.sqlState == "57014" {
            return nil
        } catch let error as LibPQTransactionError where (error.bodyError as? LibPQError)?.sqlState == "57014" {
            return nil
        }
    }

    private func message(_ path: String, _ fields: FormFields, _ user: String) async throws -> Response {
        guard let id = fields["id"].flatMap({ Int64($0) }) else {
            throw WebRefusal(.badRequest, "A message's id is a number.")
        }
        let form = fields["as"].flatMap(PayloadText.Form.init)
        // No more is read than is shown, whatever a message has.
        let limit = self.settings.showsPayloads ? PayloadText.most + 4 : 0
        let missing = WebRefusal(.notFound, "There is no message \(id) here any more, or there never was.")
        if path == "/dead-letter" {
            let message = try await self.outbox.withConnection { connection, target in
                try await OutboxInspector(schema: target.schema).deadLetter(
                    id: id, subscription: target.subscription, payloadLimit: limit, on: connection)
            }
            guard let message else { throw missing }
            let view = MessageView(place: "dead-letter", message: message, settings: self.settings, form: form)
            return self.page("message", "Dead letter \(id)", view.values, user, fields)
        }
        let message = try await self.outbox.withConnection { connection, target in
            try await OutboxInspector(schema: target.schema).deferredMessage(
                id: id, subscription: target.subscription, payloadLimit: limit, on: connection)
        }
        guard let message else { throw missing }
        let view = MessageView(place: "deferred-message", message: message, settings: self.settings, form: form)
        return self.page("message", "Deferred message \(id)", view.values, user, fields)
    }

    // MARK: Changes

    private func checkChangesAreAllowed() throws(WebRefusal) {
        if self.settings.allowsChanges { return }
        throw WebRefusal(
            .forbidden,
            "This page changes nothing unless it is started with --allow-changes, or allow_changes: true.")
    }

    private func change(_ request: Request, _ visitor: Visitor) async throws -> Response {
        try self.checkChangesAreAllowed()
        guard request.headers[.contentType]?.lowercased().hasPrefix("application/x-www-form-urlencoded") == true else {
            throw WebRefusal(.unsupportedMediaType, "A change is sent by a form.")
        }
        let body: ByteBuffer
        do {
            body = try await request.body.collect(upTo: Self.longestForm)
        } catch {
            throw WebRefusal(.contentTooLarge, "A form has \(Self.longestForm) bytes at most.")
        }
        guard let fields = FormFields(parsing: String(buffer: body)) else {
            throw WebRefusal(.badRequest, "That is no form.")
        }
        guard self.access.isOwnForm(token: fields["token"], site: Self.field("Sec-Fetch-Site", request)) else {
            throw WebRefusal(
                .forbidden,
                "The form is not from this page, or the process is another one since. Go back, load the page again, and repeat it."
            )
        }
        let change = try WebChange(fields)
        let count: Int?
        do {
            count = try await self.outbox.withConnection(limit: WebOutbox.changeLimit) { connection, target in
                guard fields["outbox"] == WebOutbox.mark(of: target) else {
                    throw WebRefusal(
                        .conflict, "The form is of another outbox than this process shows by now. Nothing was changed.")
                }
                return try await change.run(target, on: connection)
            }
        } catch {
            self.log(change, visitor, outcome: "\(CommandFailure(error).message)")
            if let more = Self.moreThanExpected(error) {
                throw WebRefusal(
                    .conflict,
                    "By now it would be \(more.count.grouped) messages, more than was shown: nothing was changed. Go back and look again."
                )
            }
            throw error
        }
        self.log(change, visitor, outcome: count == 0 ? "nothing to change" : "done", count)
        self.looks.lookAgain()
        var done = FormFields()
        done.add("done", change.kind.rawValue)
        done.add("count", count.map(String.init))
        let place = change.place
        return Self.response(
            .seeOther, "text/plain; charset=utf-8", [],
            [.location: place + (place.hasSuffix("?") ? "" : "&") + done.text])
    }

    /// Writes who has changed what, or tried to.
    private func log(_ change: WebChange, _ visitor: Visitor, outcome: String, _ count: Int? = nil) {
        let target = self.outbox.target
        var metadata: Logger.Metadata = [
            "by": "\(visitor.user)", "from": "\(visitor.remote)", "change": "\(change.kind.rawValue)",
            "what": "\(Self.cut(change.fields.text))", "outcome": "\(outcome)",
            "outbox": "\(target.schema.name)/\(target.subscription)",
        ]
        if let count { metadata["messages"] = "\(count)" }
        self.logger.notice("the web page was asked to change something", metadata: metadata)
    }

    /// As much of fields as a line of the log has room for, and whole ones.
    private static func cut(_ fields: String) -> String {
        if fields.utf8.count <= 500 { return fields }
        let part = fields.prefix(500)
        return part[..<(part.lastIndex(of: "&") ?? part.endIndex)] + "&…"
    }

    private static func moreThanExpected(_ error: any Error) -> MoreThanExpected? {
        error as? MoreThanExpected ?? (error as? LibPQTransactionError)?.bodyError as? MoreThanExpected
    }

    /// What has been done, on the page that follows.
    private static func note(_ fields: FormFields) -> String? {
        guard let kind = fields["done"].flatMap(WebChange.Kind.init) else { return nil }
        guard let count = fields["count"].flatMap({ Int($0) }), count >= 0 else {
            return kind.past.prefix(1).uppercased() + kind.past.dropFirst() + "."
        }
        if count == 0 { return "Nothing was changed." }
        return "\(count.grouped) \(count == 1 ? "message was" : "messages were") \(kind.past)."
    }

    // MARK: Events

    /// Keeps a page up to date: what a look has found is sent when there is a new one (server-sent events; WHATWG HTML, section 9.2).
    private func events(_ fields: FormFields) throws -> Response {
        guard self.streams.add(1, ordering: .relaxed).newValue <= Self.mostStreams else {
            self.streams.subtract(1, ordering: .relaxed)
            throw WebRefusal(.serviceUnavailable, "Too many pages are kept up to date.")
        }
        let slot = StreamSlot { self.streams.subtract(1, ordering: .relaxed) }
        var headers = Self.headers("text/event-stream")
        // A proxy that collects answers would keep it until it ends.
        if let name = HTTPField.Name("X-Accel-Buffering") { headers[name] = "no" }
        return Response(
            status: .ok, headers: headers,
            body: ResponseBody { writer in
                defer { slot.free() }
                let end = ContinuousClock.now + Self.streamTime
                try await writer.write(ByteBuffer(string: "retry: 500\n\n"))
                var last: Date?
                while ContinuousClock.now < end, !Task.isCancelled {
                    let view = try await self.overview(fields)
                    // A failure is sent again and again: the page says since when it has not heard of anything.
                    let taken = view.look.status?.takenAt
                    if taken == nil || taken != last {
                        let text = self.templates.text("overview_live", view.values)
                        try await writer.write(ByteBuffer(string: Self.event("look", text)))
                    } else {
                        try await writer.write(ByteBuffer(string: Self.event("same", "")))
                    }
                    last = taken
                    try await Task.sleep(for: .seconds(2))
                }
                try await writer.finish(nil)
            })
    }

    private static func event(_ name: String, _ data: String) -> String {
        let lines = data.split(omittingEmptySubsequences: false) { $0.isNewline }
        return "event: \(name)\n" + lines.map { "data: \($0)\n" }.joined() + "\n"
    }

    /// Gives a place among the streams back once: when its answer ends, or when none is written.
    private final class StreamSlot: Sendable {
        private let body: @Sendable () -> Void
        private let isFree = Atomic<Bool>(false)

        init(_ body: @escaping @Sendable () -> Void) {
            self.body = body
        }

        deinit { self.free() }

        func free() { if !self.isFree.exchange(true, ordering: .relaxed) { self.body() } }
    }

    // MARK: Passwords

    private func noteWrongPassword(_ remote: String) async {
        let count = self.wrongPasswords.add(1, ordering: .relaxed).newValue
        // The first, and then fewer and fewer of many.
        if count.nonzeroBitCount == 1 {
            self.logger.warning(
                "a wrong password was given to the web page", metadata: ["from": "\(remote)", "count": "\(count)"])
        }
        try? await Task.sleep(for: Self.pause)
    }

    // MARK: Pages

    private static let places: [(path: String, name: String)] = [
        ("./", "Destinations"), ("dead-letters", "Dead letters"), ("deferred", "Deferred"), ("relays", "Relays"),
        ("doctor", "Doctor"), ("schema", "Schema and log"),
    ]

    private func page(
        _ template: String, _ title: String, _ values: [String: Any], _ user: String, _ fields: FormFields,
        status: HTTPResponse.Status = .ok
    ) -> Response {
        var values = values
        let target = self.outbox.target
        values["title"] = title
        values["outbox"] = "\(target.schema.name), subscription \(target.subscription)".plain(120)
        values["pages"] = Self.places.map { place -> [String: Any] in
            [
                "href": place.path, "name": place.name,
                "isCurrent": place.name == title || (title == "Deferred messages" && place.name == "Deferred"),
            ]
        }
        values["note"] = Self.note(fields)
        values["access"] =
            self.settings.allowsChanges ? "Changes are logged as those of \(user)." : "Nothing can be changed here."
        values["version"] = "outbox \(OutboxCommand.configuration.version)"
        values["time"] = "\(RFC3339.text(Date()).prefix(19))Z"
        return Self.response(status, "text/html; charset=utf-8", Array(self.templates.text(template, values).utf8))
    }

    private func refused(_ refusal: WebRefusal, _ user: String) -> Response {
        self.page(
            "refusal", refusal.status.reasonPhrase, ["reason": refusal.reason], user, FormFields(),
            status: refusal.status)
    }

    /// What an error from the database means to the one who looks.
    private static func refusal(_ error: any Error) -> WebRefusal {
        let failure = CommandFailure(error)
        switch failure.status {
        case .noPermission: return WebRefusal(.forbidden, failure.message)
        case .unavailable: return WebRefusal(.serviceUnavailable, failure.message)
        default: break
        }
        if (error as? OutboxError)?.code == .streamMissing { return WebRefusal(.notFound, failure.message) }
        let cause = (error as? LibPQTransactionError)?.bodyError ?? error
        if (cause as? LibPQError)?.sqlState == "57014" {
            return WebRefusal(
                .gatewayTimeout,
                "The server takes too long for that. Narrow it down, or do it by the command line, which has no such limit."
            )
        }
        return WebRefusal(.internalServerError, failure.message)
    }

    private static func field(_ name: String, _ request: Request) -> String? {
        HTTPField.Name(name).flatMap { request.headers[$0] }
    }

    private static func plain(_ status: HTTPResponse.Status, _ text: String, _ fields: HTTPFields = [:]) -> Response {
        self.response(status, "text/plain; charset=utf-8", Array((text + "\n").utf8), fields)
    }

    private static func response(
        _ status: HTTPResponse.Status, _ type: String, _ body: [UInt8], _ fields: HTTPFields = [:]
    ) -> Response {
        var headers = self.headers(type)
        for field in fields { headers[field.name] = field.value }
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
    }

    /// What a browser is told to let nothing from elsewhere in, and to show the page nowhere else.
    private static func headers(_ type: String) -> HTTPFields {
        var headers: HTTPFields = [
            .contentType: type, .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
            // Connections are few, and probes and scrapes need them too: a browser keeps none.
            .connection: "close",
            .contentSecurityPolicy: """
            default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
            base-uri 'none'; frame-ancestors 'none'
            """,
        ]
        for (name, value) in [
            ("Referrer-Policy", "same-origin"), ("X-Frame-Options", "DENY"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ] {
            if let name = HTTPField.Name(name) { headers[name] = value }
        }
        return headers
    }
}

/// Lets a doctor look, once at a time, however many ask, and not more often than every ten seconds.
actor DoctorVisits {
    private static let pause = Duration.seconds(10)
    /// How long one may look: less than a connection of the listener waits for an answer.
    private static let limit = Duration.seconds(20)

    private struct Visit {
        let target: LookTarget
        let task: Task<[DoctorFinding], any Error>
        /// nil: it goes on.
        var end: ContinuousClock.Instant?
    }

    private var last: Visit?

    func findings(_ target: LookTarget) async throws -> [DoctorFinding] {
        if let last, last.target == target, last.end.map({ .now - $0 < Self.pause }) ?? true {
            return try await last.task.value
        }
        let task = Task {
            var server = target.server
            server.parameters["fallback_application_name"] = "outbox web"
            server.parameters["connect_timeout"] = "4"
            let doctor = OutboxDoctor(schema: target.schema, subscription: target.subscription)
            return try await LookAttempt.within(Self.limit) { [server] in try await doctor.examine(server) }
        }
        self.last = Visit(target: target, task: task)
        let result = await task.result
        if self.last?.task == task { self.last?.end = .now }
        return try result.get()
    }
}
