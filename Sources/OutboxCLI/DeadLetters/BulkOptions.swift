import ArgumentParser
import OutboxPostgres
import OutboxRuntime

/// Doing something with many dead letters.
struct BulkOptions: ParsableArguments {
    @Argument(help: "The messages' ids. Default: all to which the options apply.")
    var ids: [Int64] = []

    @OptionGroup
    var options: FilterOptions

    @Flag(help: "Every dead letter of the subscription.")
    var all = false

    @Flag(help: "Only say how many it would be.")
    var dryRun = false

    @Flag(help: "Print the count as JSON.")
    var json = false

    /// Does it and says how many it were.
    func run(
        _ server: ServerOptions, verb: String, past: String,
        _ body: (OutboxInspector, DeadLetterFilter, Bool, LibPQConnection) async throws -> Int
    ) async throws {
        let isEverything = self.ids.isEmpty && self.options.isEverything
        if isEverything, !self.all, !self.dryRun {
            throw CommandFailure(.usage, "Say which: ids, a filter such as --destination, or --all.")
        }
        if self.all, !isEverything { throw CommandFailure(.usage, "--all excludes ids and filters.") }
        let schema = try server.outbox.schema
        let count = try await server.withConnection(application: "dead-letter") { connection in
            return try await body(
                OutboxInspector(schema: schema), self.options.filter(ids: self.ids), self.dryRun, connection)
        }
        if self.json { return self.printJSON(count) }
        let noun = count == 1 ? "dead letter" : "dead letters"
        Terminal.output.print(
            self.dryRun ? "would \(verb) \(count.grouped) \(noun)" : "\(past) \(count.grouped) \(noun)")
    }

    private func printJSON(_ count: Int) {
        var json = JSONWriter()
        json.beginObject()
        json.name("count")
        json.integer(count)
        json.name("dry_run")
        json.bool(self.dryRun)
        json.endObject()
        json.print()
    }
}
