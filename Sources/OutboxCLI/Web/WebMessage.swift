import Outbox
import OutboxPostgres

/// A message that was not delivered, as the web page shows it: which of the two kinds it is.
protocol WebMessage: FailedMessage, Sendable {
    /// Where all are shown, and where one of them is.
    static var places: (all: String, one: String) { get }
    /// What a page of them is called.
    static var title: String { get }
    /// What one is called.
    static var singular: String { get }
    /// What can be done with them.
    static var changes: [WebChange.Kind] { get }
    /// Why they may have been given up; empty: they are tried again.
    static var reasons: [Death.Reason] { get }
    /// The command that shows them.
    static var command: String { get }

    /// Those of a page, and one more where another page follows.
    static func list(
        _ query: FailureQuery, of target: LookTarget, on connection: LibPQConnection
    ) async throws -> [Self]
    /// How many match.
    static func count(_ query: FailureQuery, of target: LookTarget, on connection: LibPQConnection) async throws -> Int
    /// One of them; nil: there is none of that number.
    static func find(
        _ id: Int64, of target: LookTarget, payloadLimit: Int, on connection: LibPQConnection
    ) async throws -> Self?
}

extension DeadLetter: WebMessage {
    static var places: (all: String, one: String) { ("dead-letters", "dead-letter") }
    static var title: String { "Dead letters" }
    static var singular: String { "Dead letter" }
    static var changes: [WebChange.Kind] { [.replay, .discardDead] }
    static var reasons: [Death.Reason] { Death.Reason.allCases }
    static var command: String { "dead-letter" }

    static func list(
        _ query: FailureQuery, of target: LookTarget, on connection: LibPQConnection
    ) async throws -> [DeadLetter] {
        try await OutboxInspector(schema: target.schema).deadLetters(
            matching: query.deadLetters(of: target.subscription), limit: FailureQuery.pageSize + 1,
            offset: query.page * FailureQuery.pageSize, on: connection)
    }

    static func count(
        _ query: FailureQuery, of target: LookTarget, on connection: LibPQConnection
    ) async throws -> Int {
        try await OutboxInspector(schema: target.schema).replay(
            matching: query.deadLetters(of: target.subscription), dryRun: true, on: connection)
    }

    static func find(
        _ id: Int64, of target: LookTarget, payloadLimit: Int, on connection: LibPQConnection
    ) async throws -> DeadLetter? {
        try await OutboxInspector(schema: target.schema).deadLetter(
            id: id, subscription: target.subscription, payloadLimit: payloadLimit, on: connection)
    }
}

extension DeferredMessage: WebMessage {
    static var places: (all: String, one: String) { ("deferred", "deferred-message") }
    static var title: String { "Deferred" }
    static var singular: String { "Deferred message" }
    static var changes: [WebChange.Kind] { [.retry, .discardDeferred] }
    static var reasons: [Death.Reason] { [] }
    static var command: String { "deferred" }

    static func list(
        _ query: FailureQuery, of target: LookTarget, on connection: LibPQConnection
    ) async throws -> [DeferredMessage] {
        try await OutboxInspector(schema: target.schema).deferred(
            matching: query.deferred(of: target.subscription), limit: FailureQuery.pageSize + 1,
            offset: query.page * FailureQuery.pageSize, on: connection)
    }

    static func count(
        _ query: FailureQuery, of target: LookTarget, on connection: LibPQConnection
    ) async throws -> Int {
        try await OutboxInspector(schema: target.schema).discard(
            matching: query.deferred(of: target.subscription), dryRun: true, on: connection)
    }

    static func find(
        _ id: Int64, of target: LookTarget, payloadLimit: Int, on connection: LibPQConnection
    ) async throws -> DeferredMessage? {
        try await OutboxInspector(schema: target.schema).deferredMessage(
            id: id, subscription: target.subscription, payloadLimit: payloadLimit, on: connection)
    }
}
