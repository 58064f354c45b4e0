import HTTPTypes
import Outbox
import OutboxPostgres
import OutboxRuntime

/// Which messages that were not delivered a page shows, and which page of them.
struct FailureQuery: Sendable, Hashable {
    /// How many are on a page.
    static let pageSize = 100

    var destination: String?
    var error: String?
    var reason: Death.Reason?
    /// As they were written, and what they mean.
    var olderThan: (text: String, duration: Duration)?
    var newerThan: (text: String, duration: Duration)?
    /// From 0.
    var page = 0

    init() {}

    /// - Throws: A ``WebRefusal`` that says which field is wrong.
    init(_ fields: FormFields) throws(WebRefusal) {
        self.destination = fields["destination"]
        self.error = fields["error"]
        if let text = fields["reason"] {
            guard let reason = Death.Reason(rawValue: text) else {
                throw WebRefusal(.badRequest, "“\(text.plain(60))” is no reason.")
            }
            self.reason = reason
        }
        self.olderThan = try Self.interval(fields["older"])
        self.newerThan = try Self.interval(fields["newer"])
        if let text = fields["page"] {
            guard let page = Int(text), (0...1_000_000).contains(page) else {
                throw WebRefusal(.badRequest, "“\(text.plain(60))” is no number of a page.")
            }
            self.page = page
        }
    }

    private static func interval(_ text: String?) throws(WebRefusal) -> (String, Duration)? {
        guard let text else { return nil }
        guard let interval = try? Interval(parsing: text) else {
            throw WebRefusal(.badRequest, "“\(text.plain(60))” is no interval such as 30s, 5m, 1.5h or 7d.")
        }
        return (text, interval.duration)
    }

    /// Whether nothing is left out.
    var isEverything: Bool {
        self.destination == nil && self.error == nil && self.reason == nil && self.olderThan == nil
            && self.newerThan == nil
    }

    /// The fields of the filter, without the page.
    var filterFields: FormFields {
        var fields = FormFields()
        fields.add("destination", self.destination)
        fields.add("error", self.error)
        fields.add("reason", self.reason?.rawValue)
        fields.add("older", self.olderThan?.text)
        fields.add("newer", self.newerThan?.text)
        return fields
    }

    func deadLetters(of subscription: String, ids: [Int64] = []) -> DeadLetterFilter {
        DeadLetterFilter(
            subscription: subscription, ids: ids.isEmpty ? nil : ids,
            destination: self.destination.map { Destination($0) },
            olderThan: self.olderThan?.duration, newerThan: self.newerThan?.duration, reason: self.reason,
            errorContains: self.error)
    }

    func deferred(of subscription: String, ids: [Int64] = []) -> DeferredFilter {
        DeferredFilter(
            subscription: subscription, ids: ids.isEmpty ? nil : ids,
            destination: self.destination.map { Destination($0) },
            olderThan: self.olderThan?.duration, newerThan: self.newerThan?.duration, errorContains: self.error)
    }

    static func == (one: FailureQuery, other: FailureQuery) -> Bool {
        one.page == other.page && one.filterFields == other.filterFields
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(self.page)
        hasher.combine(self.filterFields)
    }
}
