import OutboxTesting
import Testing

@Suite("Transport conformance", .timeLimit(.minutes(5)))
struct TransportConformanceTests {
    @Test("A transport in memory passes", arguments: TransportConformance.checks)
    func passes(_ check: TransportConformance.Check) async throws {
        try await check.run(LoopbackBus())
    }

    @Test("A fault is caught by the checks that are meant for it", arguments: TransportFault.allCases)
    func catches(_ fault: TransportFault) async throws {
        for name in fault.caughtBy {
            let check = try #require(TransportConformance.checks.first { $0.name == name }, "no check \"\(name)\"")
            await #expect(throws: (any Error).self, "\"\(name)\" did not notice: \(fault)") {
                try await check.run(LoopbackBus(fault))
            }
        }
    }

    @Test("Every check is able to fail")
    func everyCheckCanFail() {
        let tested = Set(TransportFault.allCases.flatMap(\.caughtBy))
        #expect(TransportConformance.checks.map(\.name).filter { !tested.contains($0) } == [])
    }
}
