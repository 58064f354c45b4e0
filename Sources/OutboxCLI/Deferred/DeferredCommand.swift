import ArgumentParser

/// `outbox deferred`: what waits for a later attempt.
struct DeferredCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deferred",
        abstract: "List, show, retry or discard the messages that wait for a later attempt.",
        discussion: """
            EXAMPLES:
              outbox deferred list --group-by error
              outbox deferred list --destination email --older-than 10m
              outbox deferred retry --error "connection refused"
              outbox deferred discard 4711
            """,
        subcommands: [
            DeferredListCommand.self, DeferredShowCommand.self, DeferredRetryCommand.self, DeferredDiscardCommand.self,
        ])
}
