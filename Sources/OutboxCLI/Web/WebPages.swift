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
    /// A wrong password is answered after that.
    private static let pause = Duration.seconds(1)

    private let current: Mutex<WebSettings>
    private let access: WebAccess
    private let looks: DatabaseLooks
    private let outbox: WebOutbox
    private let doctor = DoctorVisits()
    private let changes: WebChanges
    private let templates = WebTemplates()
    private let logger: Logger
    private let live = LivePages()
    private let wrongPasswords = Atomic<Int>(0)
    private let lastView = Mutex<ContinuousClock.Instant?>(nil)

    /// - Parameter isLoopback: Whether only this machine reaches the page.
    init(settings: WebSettings, isLoopback: Bool, looks: DatabaseLooks, logger: Logger) {
        self.current = Mutex(settings)
        self.access = WebAccess(password: settings.password, isLoopback: isLoopback)
        self.looks = looks
        self.outbox = WebOutbox(looks: looks)
        self.changes = WebChanges(access: self.access, outbox: self.outbox, looks: looks, logger: logger)
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
        if request.headers.fetchSite == "cross-site", request.headers.fetchMode != "navigate" {
            return WebAnswer.text(.forbidden, "the page is no part of another site")
        }
        let user: String
        switch self.access.decide(
            authorization: request.headers[.authorization], host: request.head.authority,
            isForwarded: request.headers.areForwarded)
        {
        case .admitted(let name): user = name
        case .refused(let reason): return WebAnswer.text(.forbidden, reason)
        case .challenged(let isWrong):
            if isWrong { await self.noteWrongPassword(remote) }
            return WebAnswer.text(
                .unauthorized, "a name of your choice and the page's password are needed",
                [.wwwAuthenticate: "Basic realm=\"outbox\", charset=\"UTF-8\""])
        }
        do {
            return try await self.answer(to: request, WebChanges.Visitor(user: user, remote: remote))
        } catch let refusal as WebRefusal {
            return self.refused(refusal, user)
        } catch {
            return self.refused(Self.refusal(error), user)
        }
    }

    private func answer(to request: Request, _ visitor: WebChanges.Visitor) async throws -> Response {
        let path = request.uri.path
        if path == "/change" {
            guard request.method == .post else { throw WebRefusal(.methodNotAllowed, "A change is sent by a form.") }
            try self.checkChangesAreAllowed()
            return try await self.changes.answer(to: request, visitor)
        }
        guard request.method == .get || request.method == .head else {
            throw WebRefusal(.methodNotAllowed, "A page can only be got.")
        }
        if let file = WebTemplates.file(path) { return WebAnswer.response(.ok, file.type, file.bytes) }
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
            // What is wrong with the query is said at once, and not by an answer that breaks off.
            _ = try await self.overview(fields)
            return try self.live.answer {
                let view = try await self.overview(fields)
                return (self.templates.text("overview_live", view.values), view.look.status?.takenAt)
            }
        case "/destination":
            guard let name = fields["name"] else { throw WebRefusal(.badRequest, "The address names no destination.") }
            let view = DestinationView(name: name, look: await self.looks.recent(), settings: self.settings)
            return self.page("destination", name.plain(200), await view.values(self.outbox), visitor.user, fields)
        case "/dead-letters": return try await self.messages(DeadLetter.self, fields, visitor.user)
        case "/deferred": return try await self.messages(DeferredMessage.self, fields, visitor.user)
        case "/dead-letter": return try await self.message(DeadLetter.self, fields, visitor.user)
        case "/deferred-message": return try await self.message(DeferredMessage.self, fields, visitor.user)
        case "/relays":
            let view = RelaysView(look: await self.looks.recent())
            return self.page("relays", "Relays", view.values, visitor.user, fields)
        case "/doctor":
            let target = self.outbox.target
            let view = DoctorView(findings: try await self.doctor.findings(target), schema: target.schema)
            return self.page("doctor", "Doctor", view.values, visitor.user, fields)
        case "/schema":
            let migrations = try await self.outbox.withConnection { connection, target in
                try await OutboxMigrator(schema: target.schema).status(on: connection)
            }
            let look = await self.looks.recent()
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
            look: await self.looks.recent(), history: self.looks.history.all, search: fields["q"], page: page)
    }

    private func messages<Failed: WebMessage>(
        _: Failed.Type, _ fields: FormFields, _ user: String
    ) async throws -> Response {
        let query = try FailureQuery(fields)
        let (messages, count) = try await self.outbox.withConnection { connection, target in
            (
                try await Failed.list(query, of: target, on: connection),
                try await Self.count { try await Failed.count(query, of: target, on: connection) }
            )
        }
        let view = MessagesView(
            query: query, messages: messages, count: count, canChange: self.settings.allowsChanges)
        return self.page("messages", Failed.title, view.values, user, fields)
    }

    /// A count, unless the server takes too long for it.
    private static func count(_ body: () async throws -> Int) async throws -> Int? {
        do {
            return try await body()
        } catch  where Self.hasTakenTooLong(error) {
            return nil
        }
    }

    /// Whether the server has ended a statement because of its limit.
    private static func hasTakenTooLong(_ error: any Error) -> Bool {
        let cause = (error as? LibPQTransactionError)?.bodyError ?? error
        return (cause as? LibPQError)?.sqlState == "57014"
    }

    private func message<Failed: WebMessage>(
        _: Failed.Type, _ fields: FormFields, _ user: String
    ) async throws -> Response {
        guard let id = fields["id"].flatMap({ Int64($0) }) else {
            throw WebRefusal(.badRequest, "A message's id is a number.")
        }
        // No more is read than is shown, whatever a message has.
        let limit = self.settings.showsPayloads ? PayloadText.most : 0
        let message = try await self.outbox.withConnection { connection, target in
            try await Failed.find(id, of: target, payloadLimit: limit, on: connection)
        }
        guard let message else {
            throw WebRefusal(.notFound, "There is no message \(id) here any more, or there never was.")
        }
        let view = MessageView(
            message: message, settings: self.settings, form: fields["as"].flatMap(PayloadText.Form.init))
        return self.page("message", "\(Failed.singular) \(id)", view.values, user, fields)
    }

    private func checkChangesAreAllowed() throws(WebRefusal) {
        if self.settings.allowsChanges { return }
        throw WebRefusal(
            .forbidden,
            "This page changes nothing unless it is started with --allow-changes, or allow_changes: true.")
    }

    // MARK: Passwords

    private func noteWrongPassword(_ remote: String) async {
        let count = self.wrongPasswords.add(1, ordering: .relaxed).newValue
        // The first, and then fewer and fewer of many.
        if count.nonzeroBitCount == 1 {
            self.logger.warning(
                "A wrong password was given to the web page", metadata: ["from": "\(remote)", "count": "\(count)"])
        }
        try? await Task.sleep(for: Self.pause)
    }

    // MARK: Pages

    private static let places: [(path: String, name: String)] = [
        ("./", "Destinations"), (DeadLetter.places.all, DeadLetter.title),
        (DeferredMessage.places.all, DeferredMessage.title), ("relays", "Relays"),
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
                "isCurrent": place.name == title,
            ]
        }
        values["note"] = WebChanges.note(fields)
        values["access"] =
            self.settings.allowsChanges ? "Changes are logged as those of \(user)." : "Nothing can be changed here."
        values["version"] = "outbox \(OutboxCommand.configuration.version)"
        values["time"] = "\(RFC3339.text(Date()).prefix(19))Z"
        return WebAnswer.response(status, "text/html; charset=utf-8", Array(self.templates.text(template, values).utf8))
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
        if Self.hasTakenTooLong(error) {
            return WebRefusal(
                .gatewayTimeout,
                "The server takes too long for that. Narrow it down, or do it by the command line, which has no such limit."
            )
        }
        return WebRefusal(.internalServerError, failure.message)
    }

}
