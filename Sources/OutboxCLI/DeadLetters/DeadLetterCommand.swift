import ArgumentParser

/// `outbox dead-letter`: what will not be tried again, unless an operator replays it.
struct DeadLetterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letter",
        abstract: "List, show, replay or discard the messages that could not be delivered.",
        discussion: """
            EXAMPLES:
              outbox dead-letter list --destination email --newer-than 1h
              outbox dead-letter show 4711
              outbox dead-letter replay --error "connection refused" --dry-run
              outbox dead-letter discard --older-than 30d
            """,
        subcommands: [
            DeadLetterListCommand.self, DeadLetterShowCommand.self, DeadLetterReplayCommand.self,
            DeadLetterDiscardCommand.self,
        ])
}
