import Testing

@testable import Outbox

/// What becomes of a message, in every combination of what that depends on.
@Suite(.timeLimit(.minutes(5))) struct DeliveryPolicyTests {
    private typealias Facts = DeliveryPolicy.Facts

    private static let policy = DeliveryPolicy(
        retry: .exponential(maximumAttempts: 3, initialDelay: .seconds(1), maximumDelay: .seconds(60), jitter: false))

    private static func verdict(_ facts: Facts, _ outcome: Outcome) -> PageTicket.Verdict? {
        var random = SeededGenerator(seed: 1)
        return Self.policy.verdict(on: facts, outcome, random: &random)
    }

    /// Attempts 0 to 4, behind or not, ordered or not.
    private static let all: [Facts] = (0...4).flatMap { attempts in
        [false, true].flatMap { isBehind in
            [false, true].map { Facts(id: 7, attempts: attempts, isOrdered: $0, isBehind: isBehind) }
        }
    }

    @Test func whatIsDeliveredHasNoVerdict() {
        for facts in Self.all { #expect(Self.verdict(facts, .delivered) == nil) }
    }

    @Test func whatIsRefusedIsDead() {
        for facts in Self.all {
            let death = Death(id: 7, attempts: facts.attempts + 1, reason: .rejected, error: "no")
            #expect(Self.verdict(facts, .reject("no")) == .dead(death))
        }
    }

    /// With the pause that the policy says or the handler asks for; behind an earlier one of its key with none of its own.
    @Test(arguments: [nil, Duration.seconds(5), .zero, .seconds(-1)]) func whatFailedIsTriedAgainUntilItsAttemptsEnd(
        requested: Duration?
    ) {
        for facts in Self.all {
            let verdict = Self.verdict(facts, .retry(after: requested, "why"))
            let attempts = facts.attempts + 1
            if attempts >= 3 {
                #expect(verdict == .dead(Death(id: 7, attempts: attempts, reason: .exhausted, error: "why")))
                continue
            }
            let pause = requested.map { max($0, .zero) } ?? .seconds(1 << (attempts - 1))
            #expect(
                verdict
                    == .deferred(
                        Deferral(
                            id: 7, attempts: attempts, due: facts.isBehind ? .behindKey : .after(pause),
                            ordered: facts.isOrdered, error: "why")))
        }
    }

    /// However often: a destination that is down, a part of it that is, and a message that was not tried use up nothing.
    @Test func whatIsNoAttemptIsNotCounted() {
        for facts in Self.all {
            for outcome in [Outcome.unavailable("down"), .behind, .postpone(after: .seconds(9), "a part is down")] {
                let verdict = Self.verdict(facts, outcome)
                guard case .deferred(let deferral) = verdict else {
                    Issue.record("\(outcome) of \(facts): \(String(describing: verdict))")
                    continue
                }
                #expect(deferral.attempts == facts.attempts && deferral.error == outcome.reason)
                #expect(deferral.ordered == facts.isOrdered)
                // And there is a pause, or it would be tried without an end.
                switch deferral.due {
                case .behindKey: #expect(facts.isBehind)
                case .after(let pause): #expect(!facts.isBehind && pause >= .seconds(1) && pause <= .seconds(60))
                case .scheduled: Issue.record("nothing is scheduled")
                }
            }
        }
    }

    @Test func aMessageOverridesItsPolicy() {
        var facts = Facts(id: 7, attempts: 4)
        facts.options = .success(MessageOptions(maximumAttempts: 6, maximumDelay: .seconds(2)))
        #expect(
            Self.verdict(facts, .retry("why"))
                == .deferred(Deferral(id: 7, attempts: 5, due: .after(.seconds(2)), ordered: false, error: "why")))
        #expect(Self.policy.exhausted(facts) == nil)
        facts.attempts = 6
        #expect(Self.policy.exhausted(facts) == .dead(Death(id: 7, attempts: 6, reason: .exhausted, error: nil)))
    }

    /// Options that cannot be read say nothing of what to do: such a message is dead unless it was delivered.
    @Test func optionsThatCannotBeReadAreADefect() {
        var facts = Facts(id: 7, attempts: 0)
        facts.options = .failure(MessageDefect("options: nonsense"))
        #expect(Self.verdict(facts, .delivered) == nil)
        for outcome in [Outcome.retry("why"), .reject("no"), .unavailable("down"), .behind] {
            let death = Death(id: 7, attempts: 1, reason: .undecodable, error: "options: nonsense")
            #expect(Self.verdict(facts, outcome) == .dead(death))
        }
    }

    @Test func whatEndedTheProcessIsAnAttempt() {
        for attempts in 0...4 {
            for crashes in 0...attempts {
                let facts = Facts(id: 7, attempts: attempts, crashes: crashes)
                guard attempts >= 3 else {
                    #expect(Self.policy.exhausted(facts) == nil)
                    continue
                }
                guard case .dead(let death) = Self.policy.exhausted(facts) else {
                    Issue.record("\(facts) has attempts left")
                    continue
                }
                #expect(death.attempts == attempts && death.reason == (crashes == 0 ? .exhausted : .crashed))
                #expect(death.error?.contains("alone") == (crashes == 0 ? nil : true))
            }
        }
    }

    @Test func whatIsParkedIsAnAttemptIfItHasBegun() {
        for facts in Self.all {
            for isBegun in [false, true] {
                let deferral = Self.policy.parked(facts, isBegun: isBegun).deferral
                #expect(deferral?.attempts == facts.attempts + (isBegun ? 1 : 0))
                #expect(deferral?.due == (facts.isBehind ? .behindKey : .after(.zero)))
            }
            let down = Self.policy.parkedWhileDown(facts, .unavailable("down")).deferral
            #expect(down?.attempts == facts.attempts && down?.error == "down")
        }
    }

    /// hasFailed, isHeld, isOrdered → the position of a deferred message.
    @Test(arguments: [
        (false, false, false, DeliveryPolicy.Position.first), (false, false, true, .first), (true, false, false, .behind),
        (true, false, true, .behindAlready), (false, true, false, .behind), (false, true, true, .behind),
        (true, true, false, .behind), (true, true, true, .behind),
    ]) func positions(hasFailed: Bool, isHeld: Bool, isOrdered: Bool, expected: DeliveryPolicy.Position) {
        let position = DeliveryPolicy.Position(hasFailed: hasFailed, isHeld: isHeld, isOrdered: isOrdered)
        #expect(position == expected)
        let facts = Facts(id: 7, attempts: 2, isOrdered: true)
        switch position.verdict(facts) {
        case nil: #expect(expected == .first)
        case .untouched: #expect(expected == .behindAlready)
        case .deferred(let deferral): #expect(expected == .behind && deferral.due == .behindKey && deferral.attempts == 2)
        case .parked, .dead: Issue.record("neither")
        }
        #expect(DeliveryPolicy.Position(isBlocked: true) == .behind && DeliveryPolicy.Position(isBlocked: false) == .first)
    }

    /// What Postgres cannot store, and more than an operator reads, is not kept of an error.
    @Test func errorsAreShortened() {
        let verdict = Self.verdict(Facts(id: 7, attempts: 0), .retry("a\0b" + String(repeating: "x", count: 2000)))
        #expect(verdict?.deferral?.error?.count == 1000 && verdict?.deferral?.error?.hasPrefix("a b") == true)
    }
}
