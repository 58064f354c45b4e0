import ArgumentParser
import OutboxPostgres
import OutboxRuntime

/// Doing something with many messages that were not delivered.
struct BulkOptions: ParsableArguments {
    @Argument(help: "The messages' ids. Default: all to which the options apply.")
    var ids: [Int64] = []

    @Flag(help: "Every one of the subscription.")
    var all = false

    @Flag(help: "Only say how many it would be.")
    var dryRun = false

    @Flag(help: "Print the count as JSON.")
    var json = false

    /// What is done, in words.
    struct Action {
        /// What is done with it: "dead letter".
        let noun: String
        /// "replay".
        let verb: String
        /// "replayed".
        let past: String
        /// Whether it cannot be taken back, so that it is asked for first where no ids are given.
        var isFinal = false
        /// Whether it need not be asked for.
        var isConfirmed = false

        func counted(_ count: Int) -> String { "\(count.grouped) \(self.noun)\(count == 1 ? "" : "s")" }
    }

    /// Does it and says how many it were.
    ///
    /// - Parameters:
    ///   - isEverything: Whether the filter leaves nothing out.
    ///   - body: Does it, unless it would be more than so many, or only counts.
    func run(
        _ action: Action, isEverything: Bool, _ server: ServerOptions,
        _ body: (OutboxInspector, _ isDry: Bool, _ atMost: Int?, LibPQConnection) async throws -> Int
    ) async throws {
        let isEverything = self.ids.isEmpty && isEverything
        if isEverything, !self.all, !self.dryRun {
            throw CommandFailure(.usage, "Say which: ids, a filter such as --destination, or --all.")
        }
        if self.all, !isEverything { throw CommandFailure(.usage, "--all excludes ids and filters.") }
        let schema = try server.schema
        let application = action.noun.split(separator: " ").joined(separator: "-")
        func perform(isDry: Bool, atMost: Int? = nil) async throws -> Int {
            try await server.withConnection(application: application) { connection in
                do {
                    return try await body(OutboxInspector(schema: schema), isDry, atMost, connection)
                } catch {
                    guard let more = MoreThanExpected.found(in: error) else { throw error }
                    throw CommandFailure(
                        .failure,
                        "by now it would be \(action.counted(more.count)), more than was asked about: nothing was \(action.past); try again"
                    )
                }
            }
        }
        // What comes while it is asked was not asked about.
        var asked: Int?
        if action.isFinal, !action.isConfirmed, !self.dryRun, self.ids.isEmpty {
            let count = try await perform(isDry: true)
            if count == 0 { return self.json ? self.printJSON(0) : self.print(0, action) }
            Terminal.error.print("would \(action.verb) \(action.counted(count))")
            try Confirmation.ask("\(action.verb) \(count == 1 ? "it" : "them")", past: action.past)
            asked = count
        }
        let count = try await perform(isDry: self.dryRun, atMost: asked)
        if self.json { self.printJSON(count) } else { self.print(count, action) }
        let wanted = Set(self.ids).count
        if count < wanted {
            let missing = "\(wanted - count) of \(wanted) ids are of no \(action.noun) that this is possible with"
            let advice = "\(missing); see: outbox \(application) list"
            if count == 0 { throw CommandFailure(.failure, advice) }
            Terminal.error.print(advice)
        }
    }

    private func print(_ count: Int, _ action: Action) {
        Terminal.output.print(
            self.dryRun ? "would \(action.verb) \(action.counted(count))" : "\(action.past) \(action.counted(count))")
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
