import CoreMetrics
import InMemoryTracing
import Instrumentation
import Logging
import MetricsTestKit
import Outbox
import OutboxTesting
import ServiceContextModule
import Synchronization
import TestSupport
import Testing
import Tracing

/// What a relay tells a metrics backend and a tracer. In a process of its own, because there is one of each for all of a
/// process.
@Suite(.timeLimit(.minutes(5))) struct ObservationTests {
    private struct Refused: Error {}

    @Test func attemptsAreCountedAndTraced() async {
        await #expect(processExitsWith: .success) {
            let metrics = TestMetrics()
            let tracer = InMemoryTracer()
            MetricsSystem.bootstrap(metrics)
            InstrumentationSystem.bootstrap(tracer)
            let outbox = InMemoryOutbox()
            try tracer.withSpan("checkout") { _ in
                try outbox.enqueue(NewMessage(to: "there", text: "good"))
                try outbox.enqueue(NewMessage(to: "there", text: "bad"))
            }
            try outbox.enqueue(NewMessage(to: "elsewhere", text: "good"))
            var logger = Logger(label: "outbox.test")
            logger.logLevel = .critical
            let handler = DestinationHandler.handler(retry: .constant(.zero, maximumAttempts: 3)) { message in
                // A handler's own spans are children of the delivery's.
                try tracer.withSpan("handle") { _ in
                    if message.payload == Array("bad".utf8) { throw Refused() }
                }
            }
            let relay = Relay(store: outbox, routes: ["there": handler, "elsewhere": handler], logger: logger)
            let events = relay.events
            async let run: Void = relay.run()
            var left: Set<Destination> = ["there", "elsewhere"]
            for await event in events {
                switch event {
                case .deadLettered(_, let destination, _, _, _): left.remove(destination)
                case .delivered(_, "elsewhere", _): left.remove("elsewhere")
                default: break
                }
                if left.isEmpty { relay.stop() }
            }
            try await run

            let there = [("destination", "there"), ("subscription", "main")]
            let elsewhere = [("destination", "elsewhere"), ("subscription", "main")]
            #expect(metrics.counterTotal(label: "outbox_messages_delivered_total", dimensions: there) == 1)
            #expect(metrics.counterTotal(label: "outbox_messages_delivered_total", dimensions: elsewhere) == 1)
            #expect(metrics.counterTotal(label: "outbox_messages_retried_total", dimensions: there) == 2)
            #expect(metrics.counterTotal(label: "outbox_messages_dead_lettered_total", dimensions: there) == 1)
            #expect(metrics.counterTotal(label: "outbox_messages_dead_lettered_total", dimensions: elsewhere) == 0)
            #expect(try metrics.expectGauge("outbox_messages_in_flight", there).lastValue == 0)
            #expect(try metrics.expectGauge("outbox_destination_down", there).values == [0])
            #expect(try !metrics.expectTimer("outbox_read_lag", there).values.isEmpty)

            let spans = tracer.finishedSpans
            let checkout = try #require(spans.first { $0.operationName == "checkout" })
            let deliveries = spans.filter { $0.operationName == "outbox deliver" }
            // One good, three bad; and one that was not traced.
            let continued = deliveries.filter { $0.spanContext.traceID == checkout.spanContext.traceID }
            #expect(deliveries.count == 5 && continued.count == 4)
            #expect(continued.allSatisfy { $0.spanContext.parentSpanID == checkout.spanContext.spanID })
            #expect(deliveries.allSatisfy { $0.kind == .consumer })
            #expect(deliveries.filter { !$0.errors.isEmpty }.count == 3)
            let attempts = continued.compactMap { $0.attributes.get("outbox.attempt") }
            #expect(attempts.filter { $0 == .int64(1) }.count == 2 && attempts.contains(.int64(3)))
            #expect(continued.allSatisfy { $0.attributes.get("messaging.destination.name") == .string("there") })
            let handled = spans.filter { $0.operationName == "handle" }
            #expect(Set(handled.compactMap(\.spanContext.parentSpanID)) == Set(deliveries.map(\.spanContext.spanID)))
            #expect(tracer.activeSpans.isEmpty)
        }
    }

    @Test func aDestinationThatIsDownIsShown() async {
        await #expect(processExitsWith: .success) {
            let metrics = TestMetrics()
            MetricsSystem.bootstrap(metrics)
            let outbox = InMemoryOutbox()
            try outbox.enqueue((1...100).map { NewMessage(to: "there", key: "\($0)", text: "x") })
            let log = LogLines(from: .info)
            let count = Atomic(0)
            let relay = Relay(
                store: outbox,
                routes: [
                    "there": .handler(breaker: .opening(initialDelay: .milliseconds(1), maximumDelay: .milliseconds(2)))
                    { _ in
                        let calls = count.add(1, ordering: .relaxed).newValue
                        if calls < 80 { throw DeliveryFailure.unavailable("maintenance of host \(calls)") }
                        if calls < 90 { throw DeliveryFailure.unavailable("no such host") }
                    }
                ], logger: log.logger)
            let events = relay.events
            async let run: Void = relay.run()
            var news: [String] = []
            for await event in events {
                if case .stillDown("there", let reason, _) = event { news.append(reason) }
                if event == .closed(destination: "there") { relay.stop() }
            }
            try await run
            #expect(news == ["no such host"])
            let there = [("destination", "there"), ("subscription", "main")]
            #expect(try metrics.expectGauge("outbox_destination_down", there).values == [0, 1, 0])
            // Once a change, however many messages and probes have failed.
            let lines = log.lines.map { line in
                "\(line.level) \(line.text): \(line.value("outbox.destination")): \(line.value("outbox.error"))"
            }
            .filter { $0.contains("destination") }
            #expect(
                lines.first?.hasPrefix("warning The destination is down; probing it until it is up: there: maint")
                    == true)
            #expect(
                lines.dropFirst() == [
                    "warning The destination is still down, for another reason: there: no such host",
                    "notice The destination is up again: there: ",
                ])
        }
    }
}
