import ArgumentParser

/// `outbox-bench scale`: what many destinations, streams, keys, deferred messages and messages do to a relay.
struct BenchScaleCommand: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "scale",
        abstract: "What it costs to have many destinations, streams, keys, deferred messages and messages.",
        discussion: """
            Each operation beside itself in an outbox that has few. A ratio that is higher than that of the sizes means that \
            the operation is worse than linear in what there are many of.

              a relay's start      until it has its streams and begins to deliver
              a quiet message      from before its INSERT to the handler, median of 21
              the server for a quiet message
                                   the processor time of the relay's session in the server,
                                   for each of 50 messages that come 20 ms apart
              a commit of 10,000   of one destination: from before the INSERT until all are delivered
              the janitor's look   whether every stream has passed a segment
              queues that are due  each key has one message that is due and nine behind it:
                                   until all are delivered, by a relay that starts
              the status           what "outbox status" reads

            EXAMPLES:
              outbox-bench scale
              outbox-bench scale --sizes 10,100 --of destinations,keys
            """)

    @OptionGroup
    var options: BenchOptions

    @Option(help: ArgumentHelp("How many there are; the first is the reference.", valueName: "counts"))
    var sizes = NumberList([10, 1000, 10_000])

    @Option(
        name: .customLong("of"),
        help: ArgumentHelp(
            "Of what: \(ScaleDimension.allCases.map(\.rawValue).joined(separator: ", ")).", valueName: "names"))
    var dimensions: String?

    func validate() throws {
        if self.sizes.numbers.count < 2 || !self.sizes.numbers.allSatisfy((1...1_000_000).contains) {
            throw ValidationError("--sizes is at least two numbers from 1 to 1000000, with commas.")
        }
        _ = try self.chosen
    }

    private var chosen: [ScaleDimension] {
        get throws {
            guard let dimensions else { return ScaleDimension.allCases }
            return try dimensions.split(separator: ",").map { name in
                guard let dimension = ScaleDimension(rawValue: String(name)) else {
                    throw ValidationError("--of: “\(name)” is none of those that are measured.")
                }
                return dimension
            }
        }
    }

    func measure(_ harness: Harness) async throws -> [Comparison] {
        var comparisons: [Comparison] = []
        for dimension in try self.chosen {
            comparisons += try await self.measure(dimension, self.sizes.numbers[...], [], harness)
        }
        return comparisons
    }

    /// Makes an outbox for each size, and measures when all are there.
    private func measure(
        _ dimension: ScaleDimension, _ sizes: ArraySlice<Int>, _ outboxes: [ScaledOutbox], _ harness: Harness
    ) async throws -> [Comparison] {
        guard let size = sizes.first else { return try await self.measure(outboxes, dimension, harness) }
        return try await harness.server.withOutbox { outbox in
            let scaled = ScaledOutbox(dimension: dimension, size: size, outbox: outbox)
            try await scaled.fill()
            return try await self.measure(dimension, sizes.dropFirst(), outboxes + [scaled], harness)
        }
    }

    private func measure(
        _ outboxes: [ScaledOutbox], _ dimension: ScaleDimension, _ harness: Harness
    ) async throws -> [Comparison] {
        var comparisons: [Comparison] = []
        for measure in dimension.measures {
            let title = "\(measure.rawValue), \(dimension.name)"
            let samples = try await harness.rounds(title, outboxes.map { outbox in { try await outbox.time(measure) } })
            for index in outboxes.indices.dropFirst() {
                comparisons.append(
                    Comparison(
                        "\(measure.rawValue), \(outboxes[index].size.grouped) \(dimension.name)",
                        reference: outboxes[0].size.grouped, unit: "ms",
                        goal: .ratioAtMost(Double(outboxes[index].size) / Double(outboxes[0].size)),
                        values: samples[index], referenceValues: samples[0]))
            }
        }
        return comparisons
    }
}
