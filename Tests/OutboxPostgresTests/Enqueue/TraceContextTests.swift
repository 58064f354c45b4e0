import Instrumentation
import Outbox
import ServiceContextModule
import Testing

@testable import OutboxPostgres

@Suite(.timeLimit(.minutes(10))) struct TraceContextTests {
    /// In a process of its own, because there is one instrument for all of a process.
    @Test func theCurrentTraceGoesIntoTheHeaders() async {
        await #expect(processExitsWith: .success) {
            InstrumentationSystem.bootstrap(TraceparentInstrument())
            var context = ServiceContext.topLevel
            context[TraceparentKey.self] = "00-1-2-01"
            try ServiceContext.$current.withValue(context) {
                let outbox = PostgresOutbox()
                let plain = NewMessage(to: "there", text: "")
                let own = NewMessage(to: "there", headers: ["a": "b", "traceparent": "own"], text: "")
                #expect(try outbox.statement(for: plain).binds[3] == .json(#"{"traceparent":"00-1-2-01"}"#))
                #expect(try outbox.statement(for: own).binds[3] == .json(#"{"a":"b","traceparent":"own"}"#))
                #expect(try outbox.checked(plain).headers == ["traceparent": "00-1-2-01"])
                let many = try outbox.statement(for: [plain])
                #expect(try many != PostgresOutbox().statement(for: [own]))
            }
            // What the tracer brings is checked as well.
            context[TraceparentKey.self] = "\0"
            ServiceContext.$current.withValue(context) {
                let error = #expect(throws: InvalidMessage.self) {
                    try PostgresOutbox().statement(for: NewMessage(to: "there", text: ""))
                }
                #expect(error?.field == "headers")
            }
            #expect(try PostgresOutbox().statement(for: NewMessage(to: "there", text: "")).binds[3] == .null)
        }
    }
}

private enum TraceparentKey: ServiceContextKey {
    typealias Value = String
}

private struct TraceparentInstrument: Instrument {
    func extract<Carrier, Extract: Extractor>(
        _ carrier: Carrier, into context: inout ServiceContext, using extractor: Extract
    ) where Extract.Carrier == Carrier {}

    func inject<Carrier, Inject: Injector>(
        _ context: ServiceContext, into carrier: inout Carrier, using injector: Inject
    ) where Inject.Carrier == Carrier {
        if let value = context[TraceparentKey.self] { injector.inject(value, forKey: "traceparent", into: &carrier) }
    }
}
