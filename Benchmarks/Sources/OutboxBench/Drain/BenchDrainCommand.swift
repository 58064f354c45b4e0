import ArgumentParser
import Outbox

/// `outbox-bench drain`: how fast a backlog is read and handed to a closure that does nothing.
struct BenchDrainCommand: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "A backlog into a closure that does nothing, beside a loop in C that only reads.",
        discussion: """
            EXAMPLES:
              outbox-bench drain
              outbox-bench drain --messages 5000000 --page 5000
            """)

    @OptionGroup
    var options: BenchOptions

    @Option(help: ArgumentHelp("How many messages wait.", valueName: "count"))
    var messages = 1_000_000

    @Option(help: ArgumentHelp("How long a payload is, in bytes.", valueName: "bytes"))
    var size = 200

    @Option(help: ArgumentHelp("How many messages are read at once, by both.", valueName: "count"))
    var page = 2000

    @Option(help: ArgumentHelp("How many closures run at the same time.", valueName: "count"))
    var concurrency = 64

    func validate() throws {
        if !(1...1024).contains(self.concurrency) { throw ValidationError("--concurrency is 1 to 1024.") }
        try BenchLimits.check(messages: self.messages)
        try BenchLimits.check(size: self.size)
        if !(1...10_000).contains(self.page) { throw ValidationError("--page is 1 to 10000.") }
    }

    func measure(_ harness: Harness) async throws -> [Comparison] {
        let benchmark = DrainBenchmark(
            messages: self.messages, size: self.size, page: self.page, concurrency: self.concurrency)
        return [try await benchmark.measure("drain", harness)]
    }
}
