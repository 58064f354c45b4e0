import TestSupport

/// Something that goes wrong, or that an operator does, while messages are written and delivered.
protocol Disturbance: Sendable {
    /// What it is called in the report, in the plural.
    var name: String { get }

    /// Does it, and has undone it when it returns.
    func strike(_ run: FaultRun, _ random: inout SeededGenerator) async throws
}

extension Disturbance {
    func pause(_ milliseconds: ClosedRange<Int>, _ random: inout SeededGenerator) async throws {
        try await Task.sleep(for: .milliseconds(Int.random(in: milliseconds, using: &random)))
    }
}
