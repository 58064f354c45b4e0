import ArgumentParser

/// `outbox bench`: measures this machine against references.
struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure the engine against references, in the same run on the same server.",
        discussion: """
            The references are small programs in C with libpq that do the least there is to do. A ratio is the median of \
            the ratios of pairs that were measured one after the other, so it bears a machine that others use too; single \
            figures do not.

            EXAMPLES:
              outbox bench drain
              outbox bench drain --messages 5000000 --size 200 --runs 5 --json
            """,
        subcommands: [BenchDrainCommand.self])
}
