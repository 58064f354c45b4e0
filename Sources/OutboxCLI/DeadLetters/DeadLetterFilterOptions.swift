import ArgumentParser
import Outbox
import OutboxPostgres
import OutboxRuntime

/// Which dead letters are meant.
struct DeadLetterFilterOptions: ParsableArguments {
    @OptionGroup
    var options: FilterOptions

    @Option(
        help: ArgumentHelp("Dead for that reason: exhausted, rejected, undecodable or crashed.", valueName: "reason"),
        transform: ReasonArgument.init(parsing:))
    var reason: ReasonArgument?

    /// Whether nothing is given that leaves a dead letter out.
    var isEverything: Bool { self.options.isEverything && self.reason == nil }

    /// What the library understands.
    ///
    /// - Parameter ids: Only these; empty: any.
    func filter(_ server: ServerOptions, ids: [Int64] = []) throws -> DeadLetterFilter {
        DeadLetterFilter(
            subscription: try self.options.subscription.name(server), ids: ids.isEmpty ? nil : ids,
            destination: self.options.destination.map { Destination($0) },
            olderThan: self.options.olderThan?.duration, newerThan: self.options.newerThan?.duration,
            reason: self.reason?.reason, errorContains: self.options.error)
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
