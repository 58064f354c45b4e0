import ArgumentParser
import Outbox
import OutboxPostgres
import OutboxRuntime

/// Which messages are meant that were not delivered: those to which all that is given applies.
struct FilterOptions: ParsableArguments {
    @OptionGroup
    var subscription: SubscriptionOption

    @Option(help: ArgumentHelp("Of that destination.", valueName: "name"))
    var destination: String?

    @Option(
        help: ArgumentHelp("Dead, or deferred, for longer than that, such as 7d.", valueName: "interval"),
        transform: Interval.init(parsing:))
    var olderThan: Interval?

    @Option(
        help: ArgumentHelp("Dead, or deferred, for less than that, such as 1h.", valueName: "interval"),
        transform: Interval.init(parsing:))
    var newerThan: Interval?

    @Option(help: ArgumentHelp("With that text in the last error.", valueName: "text"))
    var error: String?

    func validate() throws {
        // As an unset variable in a script would have it: that is no way to say everything.
        if self.error?.isEmpty == true { throw ValidationError("--error is empty.") }
        if self.destination?.isEmpty == true { throw ValidationError("--destination is empty.") }
    }

    /// Whether nothing is given that leaves a message out.
    var isEverything: Bool {
        self.destination == nil && (self.olderThan?.duration ?? .zero) == .zero && self.newerThan == nil
            && self.error == nil
    }

    /// What the library understands, of deferred messages.
    ///
    /// - Parameter ids: Only these; empty: any.
    func deferred(_ server: ServerOptions, ids: [Int64] = []) throws -> DeferredFilter {
        DeferredFilter(
            subscription: try self.subscription.name(server), ids: ids.isEmpty ? nil : ids,
            destination: self.destination.map { Destination($0) }, olderThan: self.olderThan?.duration,
            newerThan: self.newerThan?.duration, errorContains: self.error)
    }
}

/// How a list is shown.
struct ListOptions: ParsableArguments {
    enum Grouping: String, CaseIterable, ExpressibleByArgument {
        case error
    }

    @Option(help: ArgumentHelp("At most that many.", valueName: "count"))
    var limit = 100

    @Option(help: ArgumentHelp("Not the messages, but how many have failed alike: error.", valueName: "what"))
    var groupBy: Grouping?

    @Flag(help: "Print the list as JSON.")
    var json = false

    func validate() throws {
        if self.limit < 1 { throw ValidationError("--limit is at least 1.") }
    }

    /// Says so where there may be more than is shown.
    func note(_ count: Int) {
        if count == self.limit { Terminal.error.print("there may be more: --limit is \(self.limit)") }
    }
}
