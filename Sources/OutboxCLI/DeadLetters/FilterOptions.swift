import ArgumentParser
import Outbox
import OutboxPostgres
import OutboxRuntime

/// Which dead letters are meant: those to which all that is given applies.
struct FilterOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The name under which the cursors are kept.", valueName: "name"))
    var subscription = "main"

    @Option(help: ArgumentHelp("Of that destination.", valueName: "name"))
    var destination: String?

    @Option(
        help: ArgumentHelp("Dead for longer than that, such as 7d.", valueName: "interval"),
        transform: Interval.init(parsing:))
    var olderThan: Interval?

    @Option(
        help: ArgumentHelp("Dead for less than that, such as 1h.", valueName: "interval"),
        transform: Interval.init(parsing:))
    var newerThan: Interval?

    @Option(
        help: ArgumentHelp("Dead for that reason: exhausted, rejected, undecodable or crashed.", valueName: "reason"),
        transform: ReasonArgument.init(parsing:))
    var reason: ReasonArgument?

    @Option(help: ArgumentHelp("With that text in the last error.", valueName: "text"))
    var error: String?

    func validate() throws {
        // As an unset variable in a script would have it: that is no way to say everything.
        if self.error?.isEmpty == true { throw ValidationError("--error is empty.") }
        if self.destination?.isEmpty == true { throw ValidationError("--destination is empty.") }
    }

    /// Whether nothing is given that leaves a dead letter out.
    var isEverything: Bool {
        self.destination == nil && (self.olderThan?.duration ?? .zero) == .zero && self.newerThan == nil
            && self.reason == nil
            && self.error == nil
    }

    /// What the library understands.
    ///
    /// - Parameter ids: Only these; empty: any.
    func filter(ids: [Int64] = []) -> DeadLetterFilter {
        DeadLetterFilter(
            subscription: self.subscription, ids: ids.isEmpty ? nil : ids,
            destination: self.destination.map { Destination($0) }, olderThan: self.olderThan?.duration,
            newerThan: self.newerThan?.duration, reason: self.reason?.reason, errorContains: self.error)
    }
}

/// A reason on the command line.
struct ReasonArgument: Sendable {
    let reason: Death.Reason

    init(parsing argument: String) throws {
        guard let reason = Death.Reason(rawValue: argument) else {
            let hint = NearestName.suggestion(for: argument, among: Death.Reason.allCases.map(\.rawValue))
            throw ValidationError("“\(argument)” is no reason; \(hint)")
        }
        self.reason = reason
    }
}
