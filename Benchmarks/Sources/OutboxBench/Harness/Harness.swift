import Foundation

/// Where a benchmark runs: a server, and how often.
struct Harness: Sendable {
    let server: BenchServer
    /// How many rounds count.
    let runs: Int

    /// Measures several subjects in turn, so that what slows the machine slows all of a round. The first round fills the
    /// caches and does not count. Every other round goes backwards, so that none is always the first.
    ///
    /// - Parameter title: For the progress on stderr.
    /// - Returns: For each subject, its samples of all rounds.
    func rounds<Sample>(_ title: String, _ subjects: [() async throws -> Sample]) async throws -> [[Sample]] {
        var samples = subjects.map { _ in [Sample]() }
        for round in 0...self.runs {
            let order = Array(subjects.indices)
            for index in round.isMultiple(of: 2) ? order : order.reversed() {
                Self.say("\(title): round \(round) of \(self.runs), \(index + 1) of \(subjects.count)")
                let sample = try await subjects[index]()
                if round > 0 { samples[index].append(sample) }
            }
        }
        return samples
    }

    /// Measures a subject and its reference in turn.
    func compare(
        _ name: String, reference: String, unit: String, goal: Comparison.Goal,
        _ subject: @escaping () async throws -> Double, with other: @escaping () async throws -> Double
    ) async throws -> Comparison {
        let samples = try await self.rounds(name, [subject, other])
        let comparison = Comparison(
            name, reference: reference, unit: unit, goal: goal, values: samples[0], referenceValues: samples[1])
        Self.say("\(name): \(Figure.text(comparison.ratio)) × \(reference)")
        return comparison
    }

    /// Says on stderr how far long work has come.
    static func say(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }
}
