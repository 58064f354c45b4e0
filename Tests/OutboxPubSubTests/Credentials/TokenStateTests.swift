import OutboxRuntime
import Testing

@testable import OutboxPubSub

@Suite(.timeLimit(.minutes(1))) struct TokenStateTests {
    private let start = ContinuousClock.now

    @Test func aTokenIsReplacedWhileItIsValid() {
        var state = TokenState()
        #expect(state.answer(at: self.start) == .wait && state.next == nil)
        state.take(lifetime: .seconds(3600), at: self.start)
        #expect(state.next == self.start + .seconds(3375))
        #expect(state.answer(at: self.start + .seconds(3589)) == .token(1))
        // It has expired, and the next one is asked for.
        #expect(state.answer(at: self.start + .seconds(3590)) == .wait)
    }

    @Test(arguments: [0.0, 1, 8, 20, 300, 1e12]) func aShortTokenIsUsedAndReplacedWithoutHaste(lifetime: Double) {
        var state = TokenState()
        state.take(lifetime: .seconds(lifetime), at: self.start)
        #expect(state.next! >= self.start + .seconds(1) && state.next! <= self.start + .seconds(86_400))
        if (1..<86_400).contains(lifetime) {
            #expect(state.answer(at: self.start + .seconds(lifetime / 4)) == .token(1))
        }
        if lifetime < 86_400 { #expect(state.answer(at: self.start + .seconds(lifetime)) == .wait) }
    }

    @Test func aFailureIsToldUnlessATokenIsValid() {
        var state = TokenState()
        let failure = TokenFailure("away")
        var pauses: [Duration] = []
        for _ in 0..<8 {
            state.fail(failure, at: self.start, draw: 1)
            pauses.append(state.next! - self.start)
        }
        #expect(state.answer(at: self.start) == .none(failure))
        #expect(pauses.map(\.seconds) == [1, 2, 4, 8, 16, 30, 30, 30])
        state.take(lifetime: .seconds(3600), at: self.start)
        state.fail(failure, at: self.start + .seconds(3400), draw: 1)
        #expect(state.answer(at: self.start + .seconds(3500)) == .token(1))
        #expect(state.answer(at: self.start + .seconds(3600)) == .none(failure))
    }

    @Test func aTokenIsRejectedOnce() {
        var state = TokenState()
        let failure = TokenFailure("UNAUTHENTICATED")
        state.take(lifetime: .seconds(3600), at: self.start)
        let first = state.reject(1, failure, at: self.start, draw: 1)
        let second = state.reject(1, failure, at: self.start, draw: 1)
        #expect(first && !second)
        #expect(state.answer(at: self.start) == .none(failure) && state.next == self.start + .seconds(1))
        state.take(lifetime: .seconds(3600), at: self.start)
        let old = state.reject(1, failure, at: self.start, draw: 1)
        #expect(!old && state.answer(at: self.start) == .token(2))
    }
}
