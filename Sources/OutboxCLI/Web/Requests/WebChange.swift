import HTTPTypes
import Outbox
import OutboxPostgres
import OutboxRuntime

/// What a form can have done. Each is first shown with what it would change, and done when that is confirmed.
struct WebChange: Sendable {
    enum Kind: String, Sendable, CaseIterable {
        case pause, resume, rewind
        case replay
        case discardDead = "discard-dead"
        case retry
        case discardDeferred = "discard-deferred"

        /// Whether it is done with messages that were not delivered, and not with a destination.
        var isOfMessages: Bool {
            switch self {
            case .pause, .resume, .rewind: false
            case .replay, .discardDead, .retry, .discardDeferred: true
            }
        }

        /// Whether it is done with deferred messages, and not with dead letters.
        var isOfDeferred: Bool { self == .retry || self == .discardDeferred }

        /// Whether it cannot be taken back.
        var isFinal: Bool { self == .discardDead || self == .discardDeferred }

        /// On a button.
        var verb: String {
            switch self {
            case .pause: "Pause"
            case .resume: "Resume"
            case .rewind: "Rewind"
            case .replay: "Replay"
            case .retry: "Retry now"
            case .discardDead, .discardDeferred: "Discard"
            }
        }

        /// What has been done, in the log and on the page that follows.
        var past: String {
            switch self {
            case .pause: "paused"
            case .resume: "resumed"
            case .rewind: "rewound"
            case .replay: "replayed"
            case .retry: "made due"
            case .discardDead, .discardDeferred: "discarded"
            }
        }
    }

    let kind: Kind
    /// Of a destination; empty for messages.
    let destination: String
    /// Of a rewind.
    private(set) var target: (fields: FormFields, target: RewindTarget)?
    /// Of messages: these, or all to which the query applies.
    let ids: [Int64]
    let query: FailureQuery
    /// How many messages were shown to be changed; nil: it was not shown yet.
    let expected: Int?

    /// - Throws: A ``WebRefusal`` that says what is wrong.
    init(_ fields: FormFields) throws(WebRefusal) {
        guard let kind = fields["change"].flatMap(Kind.init) else {
            throw WebRefusal(.badRequest, "There is no such change.")
        }
        self.kind = kind
        self.expected = fields["expected"].flatMap { Int($0) }
        if kind.isOfMessages {
            var ids: [Int64] = []
            for text in fields.all("id") {
                guard let id = Int64(text) else {
                    throw WebRefusal(.badRequest, "“\(text.plain(60))” is no message's id.")
                }
                ids.append(id)
            }
            self.ids = ids
            self.query = try FailureQuery(fields)
            self.destination = ""
            // As with the commands: nothing is no way to say everything.
            guard !ids.isEmpty || fields["scope"] == "matching" else {
                throw WebRefusal(.badRequest, "No message is selected. Go back, and mark those that are meant.")
            }
        } else {
            guard let destination = fields["name"] else {
                throw WebRefusal(.badRequest, "The form names no destination.")
            }
            (self.destination, self.ids, self.query) = (destination, [], FailureQuery())
            if kind == .rewind { self.target = try Self.target(fields) }
        }
    }

    private static func target(_ fields: FormFields) throws(WebRefusal) -> (FormFields, RewindTarget) {
        var kept = FormFields()
        switch (fields["to-id"], fields["to-time"]) {
        case (let text?, nil):
            guard let id = Int64(text) else { throw WebRefusal(.badRequest, "“\(text.plain(60))” is no message's id.") }
            kept.add("to-id", text)
            return (kept, .id(id))
        case (nil, let text?):
            guard let date = RFC3339.date(text) else {
                throw WebRefusal(.badRequest, "“\(text.plain(60))” is no time such as 2030-01-31T12:00:00Z.")
            }
            kept.add("to-time", text)
            return (kept, .time(date))
        default: throw WebRefusal(.badRequest, "A rewind goes to an id, or to a time.")
        }
    }

    /// What a form has to have in it so that the same is meant again.
    var fields: FormFields {
        var fields = FormFields()
        fields.add("change", self.kind.rawValue)
        if self.kind.isOfMessages {
            for id in self.ids { fields.add("id", String(id)) }
            if self.ids.isEmpty { fields.add("scope", "matching") }
            for field in self.query.filterFields.fields { fields.add(field.name, field.value) }
        } else {
            fields.add("name", self.destination)
            for field in self.target?.fields.fields ?? [] { fields.add(field.name, field.value) }
        }
        return fields
    }

    /// Where the browser goes when it is done, and where “cancel” leads.
    var place: String {
        if !self.kind.isOfMessages {
            var fields = FormFields()
            fields.add("name", self.destination)
            return "destination?\(fields.text)"
        }
        return "\(self.kind.isOfDeferred ? "deferred" : "dead-letters")?\(self.query.filterFields.text)"
    }

    /// How many messages it would change; nil: it is about a destination as a whole.
    func count(_ target: LookTarget, on connection: LibPQConnection) async throws -> OutboxStatus.Count? {
        let subscription = target.subscription
        switch self.kind {
        case .pause, .resume: return nil
        case .rewind:
            guard let goal = self.target else { return nil }
            return try await OutboxStreams(schema: target.schema).extentOfRewind(
                Destination(self.destination), to: goal.target, subscription: subscription, countLimit: 100_000,
                on: connection)?.messages ?? OutboxStatus.Count(0)
        case .replay, .retry, .discardDead, .discardDeferred:
            return OutboxStatus.Count(try await self.change(target, dryRun: true, on: connection))
        }
    }

    /// Does it, unless it would change more messages than was shown.
    ///
    /// - Returns: How many messages were changed, or 0 where nothing was; nil: something was, and it is not counted.
    func run(_ target: LookTarget, on connection: LibPQConnection) async throws -> Int? {
        let streams = OutboxStreams(schema: target.schema)
        let (destination, subscription) = (Destination(self.destination), target.subscription)
        switch self.kind {
        case .pause: try await streams.pause(destination, subscription: subscription, on: connection)
        case .resume: try await streams.resume(destination, subscription: subscription, on: connection)
        case .rewind:
            guard let goal = self.target else { return 0 }
            let first = try await streams.rewind(
                destination, to: goal.target, subscription: subscription, on: connection)
            return first == nil ? 0 : nil
        case .replay, .retry, .discardDead, .discardDeferred:
            return try await self.change(target, dryRun: false, on: connection)
        }
        return nil
    }

    private func change(_ target: LookTarget, dryRun: Bool, on connection: LibPQConnection) async throws -> Int {
        let inspector = OutboxInspector(schema: target.schema)
        let dead = self.query.deadLetters(of: target.subscription, ids: self.ids)
        let deferred = self.query.deferred(of: target.subscription, ids: self.ids)
        switch self.kind {
        case .replay:
            return try await inspector.replay(matching: dead, dryRun: dryRun, atMost: self.expected, on: connection)
        case .discardDead:
            return try await inspector.discard(matching: dead, dryRun: dryRun, atMost: self.expected, on: connection)
        case .retry:
            return try await inspector.retry(matching: deferred, dryRun: dryRun, atMost: self.expected, on: connection)
        case .discardDeferred:
            return try await inspector.discard(
                matching: deferred, dryRun: dryRun, atMost: self.expected, on: connection)
        case .pause, .resume, .rewind: return 0
        }
    }
}
