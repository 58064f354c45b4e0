import Outbox
import Testing

@testable import OutboxCLI
@testable import OutboxPostgres

/// In which order streams are shown, and how they stand out.
@Suite(.timeLimit(.minutes(10))) struct StatusRowTests {
    @Test func troubleComesFirstAndThenWhatHasWaitedForLongest() {
        let status = OutboxStatus.sample(
            [
                .sample("a-well"), .sample("b-old", waiting: 1, oldest: .seconds(9)), .sample("c-dead", dead: 1),
                .sample("d-past", isServed: false), .sample("e-paused", isPaused: true),
                .sample("f-down", downFor: .seconds(3)),
                .sample("g-down", waiting: 1, oldest: .seconds(2), downFor: .seconds(3)),
                .sample("h-not-served", waiting: 1, oldest: .seconds(5), isServed: false),
            ],
            unregistered: [
                OutboxStatus.UnregisteredDestination(
                    destination: "i-never", messages: OutboxStatus.Count(1), lagTime: .seconds(50))
            ])
        let rows = StatusRow.rows(status)
        #expect(
            rows.map(\.title) == [
                "i-never", "h-not-served", "g-down", "f-down", "e-paused", "c-dead", "d-past", "b-old", "a-well",
            ])
        #expect(
            rows.map(\.urgency.style) == [.red, .red, .red, .red, .yellow, .yellow, .yellow, nil, nil])
    }

    /// A destination is what its stream is that needs an operator most: one of the past hides no outage.
    @Test func aDestinationIsWhatItsMostUrgentStreamIs() {
        func figures(_ streams: [OutboxStatus.Stream]) -> [DestinationFigures] {
            DestinationFigures.all(OutboxStatus.sample(streams))
                + DestinationFigures.all(OutboxStatus.sample(streams.reversed()))
        }
        let (past, well) = (OutboxStatus.Stream.sample("d", isServed: false), OutboxStatus.Stream.sample("d"))
        let down = OutboxStatus.Stream.sample("d", downFor: .seconds(3))
        let waits = OutboxStatus.Stream.sample("d", waiting: 1, oldest: .seconds(5), isServed: false)
        for destination in figures([past, down, well]) {
            #expect(destination.state == .down && destination.urgency == .down && destination.outage != nil)
        }
        for destination in figures([down, waits]) {
            #expect(destination.state == .notServed && destination.urgency == .notServed && destination.waiting == 1)
        }
        for destination in figures([well, past]) {
            #expect(destination.state == .notServed && destination.urgency == .idle)
        }
    }

    /// What is delivered within moments has no order among itself that changes at every look.
    @Test func lessThanASecondDoesNotCount() {
        let status = OutboxStatus.sample([
            .sample("a", waiting: 1, oldest: .milliseconds(1)), .sample("b", waiting: 1, oldest: .milliseconds(900)),
            .sample("c"),
        ])
        #expect(StatusRow.rows(status).map(\.title) == ["a", "b", "c"])
    }
}
