import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import OutboxPostgres

/// Makes the changes that forms ask for, and writes who has asked for what.
struct WebChanges: Sendable {
    /// Who asks.
    struct Visitor: Sendable {
        let user: String
        let remote: String
    }

    /// The longest form.
    private static let longestForm = 64 << 10
    /// How much of a form's fields is in the log.
    private static let longestLogged = 500

    let access: WebAccess
    let outbox: WebOutbox
    let looks: DatabaseLooks
    let logger: Logger

    /// Makes the change of a form.
    ///
    /// - Returns: An answer that leads to where it is to be seen.
    /// - Throws: A ``WebRefusal``, or what the database has said.
    func answer(to request: Request, _ visitor: Visitor) async throws -> Response {
        let fields = try await self.fields(of: request)
        let change = try WebChange(fields)
        // A form of this page says how many were shown; without that, there would be no limit.
        guard !change.kind.isOfMessages || change.expected != nil else {
            throw WebRefusal(.badRequest, "The form does not say how many messages were shown. Go back and look again.")
        }
        let count = try await self.outbox.withConnection(limit: WebOutbox.changeLimit) { connection, target in
            guard fields["outbox"] == WebOutbox.mark(of: target) else {
                throw WebRefusal(
                    .conflict, "The form is of another outbox than this process shows by now. Nothing was changed.")
            }
            return try await self.make(change, visitor, target, connection)
        }
        self.looks.lookAgain()
        var done = FormFields()
        done.add("done", change.kind.rawValue)
        done.add("count", count.map(String.init))
        let place = change.place
        return WebAnswer.response(
            .seeOther, "text/plain; charset=utf-8", [],
            [.location: place + (place.hasSuffix("?") ? "" : "&") + done.text])
    }

    private func make(
        _ change: WebChange, _ visitor: Visitor, _ target: LookTarget, _ connection: LibPQConnection
    ) async throws -> Int? {
        do {
            let count = try await change.run(target, on: connection)
            self.log(change, visitor, target, outcome: count == 0 ? "nothing to change" : "done", count)
            return count
        } catch {
            guard let more = MoreThanExpected.found(in: error) else {
                self.log(change, visitor, target, outcome: CommandFailure(error).message)
                throw error
            }
            self.log(change, visitor, target, outcome: "more than was shown", more.count)
            throw WebRefusal(
                .conflict,
                "By now it would be \(more.count.grouped) messages, more than was shown: nothing was changed. Go back and look again."
            )
        }
    }

    /// The fields of a form of this page.
    private func fields(of request: Request) async throws(WebRefusal) -> FormFields {
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
        guard self.access.isOwnForm(token: fields["token"], site: request.headers.fetchSite) else {
            throw WebRefusal(
                .forbidden,
                "The form is not from this page, or the process is another one since. Go back, load the page again, and repeat it."
            )
        }
        return fields
    }

    private func log(
        _ change: WebChange, _ visitor: Visitor, _ target: LookTarget, outcome: String, _ count: Int? = nil
    ) {
        var metadata: Logger.Metadata = [
            "by": "\(visitor.user)", "from": "\(visitor.remote)", "change": "\(change.kind.rawValue)",
            "what": "\(Self.cut(change.fields.text))", "outcome": "\(outcome)",
            "outbox": "\(target.schema.name)/\(target.subscription)",
        ]
        if let count { metadata["messages"] = "\(count)" }
        self.logger.notice("The web page was asked to change something", metadata: metadata)
    }

    /// As much of fields as a line of the log has room for, and whole ones.
    private static func cut(_ fields: String) -> String {
        if fields.utf8.count <= Self.longestLogged { return fields }
        let part = fields.prefix(Self.longestLogged)
        return part[..<(part.lastIndex(of: "&") ?? part.endIndex)] + "&…"
    }

    /// What has been done, for the page that follows; nil: its address says nothing of that.
    static func note(_ fields: FormFields) -> String? {
        guard let kind = fields["done"].flatMap(WebChange.Kind.init) else { return nil }
        guard let count = fields["count"].flatMap({ Int($0) }), count >= 0 else {
            return kind.past.prefix(1).uppercased() + kind.past.dropFirst() + "."
        }
        if count == 0 { return "Nothing was changed." }
        return "\(count.grouped) \(count == 1 ? "message was" : "messages were") \(kind.past)."
    }
}
