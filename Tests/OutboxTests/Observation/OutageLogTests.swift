import Logging
import OutboxRuntime
import TestSupport
import Testing

@testable import Outbox

/// What the log says of a destination that is down for long.
@Suite(.timeLimit(.minutes(5))) struct OutageLogTests {
    private let log = LogLines(from: .info)

    private var observer: DeliveryObserver {
        DeliveryObserver(destination: "d", subscription: "main", events: RelayEventHub(), logger: self.log.logger)
    }

    @Test func anOutageIsToldAgainEveryFiveMinutesUntilItIsOver() throws {
        let observer = self.observer
        let start = ContinuousClock.now
        #expect(observer.tell(now: start) == nil)
        observer.opened(reason: "refused", retryAfter: .seconds(1))
        let first = try #require(observer.tell(now: start))
        #expect(first >= start + .seconds(300))
        #expect(self.log.lines.count == 1, "not before it is due")
        let second = try #require(observer.tell(now: first))
        #expect(second == first + .seconds(300))
        observer.stillDown(reason: "no such host", retryAfter: .seconds(1))
        // What was told for another reason counts.
        let third = try #require(observer.tell(now: .now))
        _ = observer.tell(now: third)
        observer.closed()
        #expect(observer.tell(now: third + .seconds(3000)) == nil)
        let lines = self.log.lines.filter { $0.value("outbox.destination") == "d" }
        #expect(
            lines.map { "\($0.level) \($0.text): \($0.value("outbox.error"))" } == [
                "warning The destination is down; probing it until it is up: refused",
                "warning The destination is still down: refused",
                "warning The destination is still down, for another reason: no such host",
                "warning The destination is still down: no such host",
                "notice The destination is up again: ",
            ])
        let durations = lines.map { Int($0.value("outbox.down_for_ms")) }
        #expect(durations[0] == nil && durations.dropFirst().allSatisfy { $0 != nil })
        #expect(try #require(durations[1]) >= 300_000 && #require(durations[2]) < 300_000)
    }

    /// A producer chooses what a destination is called.
    @Test func aNameForgesNoLine() {
        let name = Destination("a\u{1B}[31m\n2026 error forged\u{202E}")
        DeliveryObserver(destination: name, subscription: "main", events: RelayEventHub(), logger: self.log.logger)
            .opened(reason: "\u{202E}b\r", retryAfter: .zero)
        let line = self.log.lines[0]
        #expect(line.value("outbox.destination") == "a [31m 2026 error forged ")
        #expect(line.value("outbox.error") == " b ")
    }

    @Test func deliveriesThatTakeLongAreToldOnceAMinute() throws {
        let observer = self.observer
        let message = Deferral(id: 7, attempts: 0, due: .behindKey, ordered: true, error: nil)
        for _ in 1...100 { observer.committed(.parked(message)) }
        let due = try #require(observer.tell(now: .now))
        #expect(observer.tell(now: due) == nil)
        #expect(
            self.log.lines.map { "\($0.level) \($0.value("outbox.id"))\($0.value("outbox.count"))" } == [
                "notice 7", "notice 99",
            ])
    }
}
