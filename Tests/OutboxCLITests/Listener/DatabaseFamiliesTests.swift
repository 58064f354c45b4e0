import Foundation
import OutboxPrometheus
import Testing

@testable import Outbox
@testable import OutboxCLI
@testable import OutboxPostgres

/// What a look at the database is as metrics.
@Suite(.timeLimit(.minutes(1))) struct DatabaseFamiliesTests {
    private func samples(_ look: DatabaseLook) -> [String] {
        String(decoding: Exposition.bytes(DatabaseFamilies.all(look), .text), as: UTF8.self)
            .split(separator: "\n").filter { !$0.hasPrefix("#") }.map(String.init)
    }

    /// Numbers of another time would say that all is well.
    @Test func afterALookThatFailedThereAreNoNumbers() {
        let look = DatabaseLook(time: .seconds(4), succeededAt: Date(timeIntervalSince1970: 1000))
        #expect(
            self.samples(look) == [
                "outbox_database_last_success_timestamp_seconds 1000", "outbox_database_look_seconds 4",
                "outbox_database_up 0",
            ])
        #expect(self.samples(DatabaseLook()) == ["outbox_database_look_seconds 0", "outbox_database_up 0"])
    }

    private func stream(
        _ slots: ClosedRange<Int>, lag: Int, seconds: Int?, deferred: Int = 0, deferredSeconds: Int? = nil,
        dead: Int = 0,
        owner: Int32?, isDown: Bool? = nil, pausedAt: Date? = nil
    ) -> OutboxStatus.Stream {
        OutboxStatus.Stream(
            id: 1, destination: "a", slots: slots, position: 0, lag: OutboxStatus.Count(lag),
            lagTime: seconds.map { .seconds($0) }, isDown: isDown, deferred: OutboxStatus.Count(deferred),
            deferredTime: deferredSeconds.map { .seconds($0) }, dead: OutboxStatus.Count(dead), pausedAt: pausedAt,
            owner: owner)
    }

    @Test func streamsOfADestinationAddUpAndTheWorstOneCounts() {
        let status = OutboxStatus(
            subscription: "main", takenAt: Date(),
            streams: [
                self.stream(0...511, lag: 2, seconds: 7, deferred: 1, deferredSeconds: 3, dead: 4, owner: 1),
                self.stream(
                    512...1023, lag: 3, seconds: 9, deferred: 2, deferredSeconds: 1, dead: 1, owner: 2, isDown: true),
            ],
            unregistered: [
                OutboxStatus.UnregisteredDestination(
                    destination: "b\"", messages: OutboxStatus.Count(1), lagTime: .milliseconds(1500))
            ], segments: [], relays: [])
        let samples = self.samples(
            DatabaseLook(figures: DatabaseFigures(status), countLimit: 1000, time: .zero, succeededAt: nil))
        let a = #"destination="a",subscription="main""#
        let b = #"destination="b\"",subscription="main""#
        for sample in [
            "outbox_database_up 1", "outbox_messages_waiting{\(a)} 5", "outbox_oldest_waiting_age_seconds{\(a)} 9",
            "outbox_messages_deferred{\(a)} 3", "outbox_oldest_deferred_age_seconds{\(a)} 3",
            "outbox_dead_letters{\(a)} 5",
            #"outbox_destination_state{destination="a",state="down",subscription="main"} 1"#,
            "outbox_messages_waiting{\(b)} 1", "outbox_oldest_waiting_age_seconds{\(b)} 1.5",
            #"outbox_destination_state{destination="b\"",state="never served",subscription="main"} 1"#,
            #"outbox_relays{state="delivering",subscription="main"} 0"#, "outbox_messages_count_limit 1000",
        ] {
            #expect(samples.contains(sample), "\(sample)")
        }
        #expect(!samples.contains { $0.hasPrefix("outbox_dead_letters{\(b)}") })
        #expect(Set(samples.map { $0.prefix { $0 != " " } }).count == samples.count)
    }
}
