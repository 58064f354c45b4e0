import ArgumentParser

/// The program `outbox-bench`: measures this machine against references.
@main
struct OutboxBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outbox-bench",
        abstract: "Measure the engine against references, in the same run on the same server.",
        discussion: """
            The references are small programs in C with libpq that do the least there is to do, and usual designs of an \
            outbox. A ratio is the median of the ratios of pairs that were measured one after the other, so it bears a \
            machine that others use too; single figures do not.

            A server of its own is removed at the end, however that comes about. With --postgres, schemas and databases \
            named outbox_bench_… are created and dropped; a run that is killed leaves them.

            EXAMPLES:
              outbox-bench all --quick
              outbox-bench drain --messages 5000000 --size 200 --runs 5
              outbox-bench commits --clients 1,8,32,64,128 --json commits.json
              outbox-bench soak --duration 30m --rate 2000 --json soak.jsonl
            """,
        subcommands: [
            BenchDrainCommand.self, BenchInsertCommand.self, BenchCommitsCommand.self, BenchEnqueueCommand.self,
            BenchLatencyCommand.self,
            BenchPinnedCommand.self, BenchMemoryCommand.self, BenchGrowthCommand.self, BenchDesignsCommand.self,
            BenchWritesCommand.self, BenchScaleCommand.self, BenchFleetCommand.self, BenchRabbitMQCommand.self, BenchKafkaCommand.self,
            BenchSQSCommand.self, BenchKinesisCommand.self, BenchPubSubCommand.self, BenchWebhookCommand.self,
            BenchSoakCommand.self, BenchAllCommand.self, FleetRelayCommand.self,
        ])
}
