import ArgumentParser

/// `outbox stream`: what a subscription reads of each destination.
struct StreamCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stream",
        abstract: "List, pause, resume, rewind, discard, split or merge what is delivered to a destination.",
        discussion: """
            A relay at work need not be restarted.

            EXAMPLES:
              outbox stream list
              outbox stream pause mail
              outbox stream resume mail
              outbox stream rewind event-bus --to-time 2026-01-31T12:00:00Z
              outbox stream discard misspelled
              outbox stream split event-bus --into 8
              outbox stream merge event-bus
            """,
        subcommands: [
            StreamListCommand.self, StreamPauseCommand.self, StreamResumeCommand.self, StreamRewindCommand.self,
            StreamDiscardCommand.self, StreamSplitCommand.self, StreamMergeCommand.self,
        ])
}

/// Which stream is meant.
struct StreamOptions: ParsableArguments {
    @Argument(help: "The destination.")
    var destination: String

    @OptionGroup
    var subscription: SubscriptionOption
}

/// How long to wait for relays.
struct HandoverOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How long relays may take to finish what they have begun. (default: 30s)", valueName: "interval"),
        transform: Interval.init(parsing:))
    var wait: Interval?

    var limit: Duration { self.wait?.duration ?? .seconds(30) }
}
