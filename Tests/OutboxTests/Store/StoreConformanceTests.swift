import OutboxTesting
import Testing

@Suite("Store conformance", .timeLimit(.minutes(5)))
struct StoreConformanceTests {
    @Test("The store in memory passes", arguments: StoreConformance.checks)
    func passes(_ check: StoreConformance.Check) async throws {
        try await check.run(InMemoryFixture())
    }

    @Test("A fault is caught by the checks that are meant for it", arguments: Fault.allCases)
    func catches(_ fault: Fault) async throws {
        let fixture = FaultyFixture(fault)
        for name in fault.caughtBy {
            let check = try #require(StoreConformance.checks.first { $0.name == name }, "no check \"\(name)\"")
            // A machine that stands still for longer than a check waits hides the fault from it.
            var isNoticed = false
            for _ in 0..<5 where !isNoticed {
                do { try await check.run(fixture.fresh()) } catch { isNoticed = true }
            }
            #expect(isNoticed, "\"\(name)\" did not notice: \(fault)")
        }
    }

    @Test("Every check is able to fail")
    func everyCheckCanFail() {
        let tested = Set(Fault.allCases.flatMap(\.caughtBy))
        #expect(StoreConformance.checks.map(\.name).filter { !tested.contains($0) } == [])
    }

    @Test("Without a fault, the store that has faults passes", arguments: StoreConformance.checks)
    func wrapperIsTransparent(_ check: StoreConformance.Check) async throws {
        try await check.run(FaultyFixture(nil))
    }

    @Test("Names are unique")
    func names() {
        let names = StoreConformance.checks.map(\.name)
        #expect(Set(names).count == names.count)
    }
}
