@testable import Outbox
import Testing

@Suite(.timeLimit(.minutes(5))) struct KeyGateTests {
    @Test func aKeyIsBlockedUntilItsLastDeferredMessageIsGone() {
        var gate = KeyGate()
        #expect(gate.isOpen)
        gate.block(7)
        gate.block(7)
        #expect(gate.isBlocked(7))
        #expect(!gate.isBlocked(8))
        gate.committed(deferred: [7, 7], removed: [])
        #expect(gate.isBlocked(7))
        gate.committed(deferred: [], removed: [7])
        #expect(gate.isBlocked(7))
        gate.committed(deferred: [], removed: [7])
        #expect(gate.isOpen)
    }

    @Test func whatIsDecidedDuringACommitStaysBlocked() {
        var gate = KeyGate(stored: [7: 1])
        gate.block(7)  // Decided while the stored one is about to be removed.
        gate.committed(deferred: [], removed: [7])
        #expect(gate.isBlocked(7))
        gate.committed(deferred: [7], removed: [])
        gate.committed(deferred: [], removed: [7])
        #expect(gate.isOpen)
    }

    @Test func readingTheStoreAgainKeepsWhatIsDecided() {
        var gate = KeyGate(stored: [1: 5])
        gate.block(2)
        gate.reload(stored: [3: 1])
        #expect(!gate.isBlocked(1))
        #expect(gate.isBlocked(2))
        #expect(gate.isBlocked(3))
    }
}
