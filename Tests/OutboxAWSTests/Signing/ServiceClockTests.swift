import Foundation
import Synchronization
import Testing

@testable import OutboxAWS

@Suite(.timeLimit(.minutes(5))) struct ServiceClockTests {
    private final class Machine: Sendable {
        let seconds = Mutex<Int64>(1_000_000)
        var clock: ServiceClock {
            ServiceClock { Date(timeIntervalSince1970: Double(self.seconds.withLock { $0 })) }
        }
    }

    @Test func takesOverTheServicesTimeOnceItIsFarOff() {
        let machine = Machine()
        let clock = machine.clock
        #expect(clock.time.seconds == 1_000_000)
        #expect(
            clock.correct(to: UTCTime(seconds: 1_000_100), signedAt: clock.time) == .none,
            "within what a signature bears")
        let signedAt = clock.time
        #expect(clock.correct(to: UTCTime(seconds: 1_003_600), signedAt: signedAt) == .new(3600))
        #expect(clock.time.seconds == 1_003_600)
        // Others that were on their way are refused too.
        #expect(clock.correct(to: UTCTime(seconds: 1_003_602), signedAt: signedAt) == .made)
        // One that was signed with the right time is refused for something else.
        #expect(clock.correct(to: UTCTime(seconds: 1_003_602), signedAt: clock.time) == .none)
    }

    @Test func aTimeThatChangesAllTheTimeIsNotFollowed() {
        let machine = Machine()
        let clock = machine.clock
        #expect(clock.correct(to: UTCTime(seconds: 2_000_000), signedAt: clock.time) == .new(1_000_000))
        #expect(clock.correct(to: UTCTime(seconds: 3_000_000), signedAt: clock.time) == .none)
        machine.seconds.withLock { $0 += 61 }
        #expect(clock.correct(to: UTCTime(seconds: 3_000_000), signedAt: clock.time) == .new(1_999_939))
    }
}
