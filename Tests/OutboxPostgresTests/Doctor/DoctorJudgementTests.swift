import Testing

@testable import OutboxPostgres

/// What a doctor makes of what it has seen.
@Suite(.timeLimit(.minutes(10))) struct DoctorJudgementTests {
    let doctor = OutboxDoctor()

    @Test(arguments: [
        (150_015, ["15.16"]), (150_016, []), (150_020, []), (160_011, ["16.12"]), (160_012, []), (170_007, ["17.8"]),
        (170_008, []), (180_001, ["18.2"]), (180_002, []), (190_000, []),
    ])
    func minorVersionsWithFaultsOfNotify(version: Int, mended: [String]) {
        #expect(NotifyFault.faults(of: version).map(\.mendedIn) == mended)
    }

    /// Whatever the journey took: what it can explain is no difference, and a difference is never made bigger by it.
    @Test func aJourneyIsNoSkew() {
        for skew in stride(from: -100.0, through: 100, by: 12.5) {
            for (there, back) in [(0.0, 0.0), (0.1, 3), (3, 0.1), (20, 20)] {
                let reading = ClockReading(asked: 1000, answer: 1000 + there + skew, answered: 1000 + there + back)
                #expect(abs(reading.certainSkew) <= abs(skew) && reading.certainSkew * skew >= 0)
                #expect(abs(reading.certainSkew - skew) <= reading.roundTrip)
                #expect((self.doctor.judge(reading).severity == .ok) == (abs(reading.certainSkew) <= 1))
            }
        }
        let behind = self.doctor.judge(ClockReading(asked: 1000, answer: 400, answered: 1000))
        #expect(behind.seen.contains("600 s behind") && behind.advice != nil)
    }

    @Test(arguments: [
        (0.0, DoctorFinding.Severity.ok), (0.09, .ok), (0.1, .warning), (0.49, .warning), (0.5, .error), (1, .error),
    ])
    func aQueueThatFillsUp(usage: Double, severity: DoctorFinding.Severity) {
        #expect(self.doctor.judge(queueUsage: usage).severity == severity)
    }

    @Test func holdersOfXminAreOldByTimeOrByTransactions() {
        func judged(_ kind: String, transactions: Int, age: Duration?, seesTimes: Bool = true) -> [DoctorFinding] {
            self.doctor.judge(
                seesTimes: seesTimes, role: "r",
                [XminHolder(kind: kind, name: "it's", transactions: transactions, age: age)])
        }
        #expect(judged("transaction", transactions: 5, age: .seconds(899)).map(\.severity) == [.ok])
        #expect(judged("transaction", transactions: 5, age: .seconds(900)).map(\.severity) == [.warning])
        // Who does not see everything does not say that all is well.
        #expect(judged("transaction", transactions: 5, age: nil, seesTimes: false).map(\.severity) == [.warning])
        // Of a slot, and of what this role may not see, no time is known.
        #expect(judged("replication slot", transactions: 999_999, age: nil).map(\.severity) == [.ok])
        let slot = judged("replication slot without a reader", transactions: 1_000_000, age: nil)
        #expect(slot.map(\.severity) == [.warning])
        #expect(slot[0].advice?.contains("pg_drop_replication_slot('it''s')") == true)
    }
}
