/// What a relay takes that has little to do.
extension BenchFleetCommand {
    private struct Upkeep: Sendable {
        let megabytes: Double
        /// Milliseconds of processor time a second.
        let relay: Double
        let server: Double
    }

    func upkeep(_ harness: Harness) async throws -> [Comparison] {
        let counts = self.destinations.numbers
        let samples = try await harness.rounds(
            "upkeep",
            counts.map { count in
                {
                    let work = FleetOutbox.Work(destinations: count, streams: 1)
                    return try await FleetOutbox.with(1, work, on: harness.server) { fleet in
                        // All of them have had something.
                        for number in 1...count { try await fleet.enqueue(to: number) }
                        try await fleet.arrivals.deliveries.reach(count)
                        return try await self.upkeep(of: fleet, count)
                    }
                }
            })
        func name(_ count: Int) -> String { count == 1 ? "1 destination" : "\(count.grouped) destinations" }
        func comparisons(_ what: String, _ unit: String, _ value: (Upkeep) -> Double) -> [Comparison] {
            counts.indices.dropFirst().map { index in
                Comparison(
                    "\(what), \(name(counts[index]))", reference: name(counts[0]), unit: unit, goal: .none,
                    values: samples[index].map(value), referenceValues: samples[0].map(value))
            }
        }
        return comparisons("resident memory", "MB", \.megabytes)
            + comparisons("a message a second, the relay", "ms/s", \.relay)
            + comparisons("a message a second, its server process", "ms/s", \.server)
    }

    private func upkeep(of fleet: FleetOutbox, _ count: Int) async throws -> Upkeep {
        let server = try await fleet.serverProcess()
        let process = fleet.relays[0].processID
        try await Task.sleep(for: .seconds(1))
        let before = (try ProcessTime.milliseconds(ofAllThreadsOf: process), try ProcessTime.milliseconds(of: server))
        let began = ContinuousClock.now
        for second in 1...self.seconds {
            try await fleet.enqueue(to: second % count + 1)
            try await fleet.arrivals.deliveries.reach(count + second)
            try await Task.sleep(until: began + .seconds(second))
        }
        let passed = (ContinuousClock.now - began).inSeconds
        return Upkeep(
            megabytes: try ProcessMemory.bytes(of: process) / 1e6,
            relay: (try ProcessTime.milliseconds(ofAllThreadsOf: process) - before.0) / passed,
            server: (try ProcessTime.milliseconds(of: server) - before.1) / passed)
    }
}
