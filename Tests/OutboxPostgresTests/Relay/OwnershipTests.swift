import Outbox
import Testing

@testable import OutboxPostgres

/// Which streams are a session's, and when it tells whose they are.
@Suite(.timeLimit(.minutes(1))) struct OwnershipTests {
    private let stream = StreamState(
        id: StreamID(1), destination: "d", slots: 0...511, cursor: Cursor(snapshot: [], position: 0), place: [],
        generation: 0, isPaused: false, start: StreamStart())

    private func owner(_ process: Int32, isRelay: Bool) -> Ownership.Owner {
        Ownership.Owner(process: process, role: "r", application: "a", isRelay: isRelay)
    }

    @Test func theSessionThatHasTheLockOwnsEveryStream() {
        var ownership = Ownership()
        #expect(!ownership.owns(self.stream))
        ownership.tried(isGranted: false)
        #expect(!ownership.owns(self.stream))
        ownership.tried(isGranted: true)
        #expect(ownership.owns(self.stream))
    }

    @Test func aRelayThatOwnsTheStreamsIsToldOfOnce() {
        let told = self.told([(1, 0), (1, 3600), (2, 3601), (1, 3602)], areRelays: true)
        #expect(told == [true, false, true, true])
    }

    @Test func anotherSessionThatHoldsTheLockIsToldOfEachMinute() {
        let told = self.told([(1, 0), (1, 59), (1, 60), (1, 100)], areRelays: false)
        #expect(told == [true, false, true, false])
    }

    /// Of which owners, each found at a second, is told.
    private func told(_ owners: [(process: Int32, second: Int)], areRelays: Bool) -> [Bool] {
        var ownership = Ownership()
        let start = ContinuousClock.now
        return owners.map { process, second in
            ownership.tells(of: self.owner(process, isRelay: areRelays), now: start + .seconds(second))
        }
    }
}
