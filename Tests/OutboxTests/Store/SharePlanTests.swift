import Outbox
import Testing

/// Relays that carry out their plans, seen by each at a time of its own.
@Suite(.timeLimit(.minutes(1))) struct SharePlanTests {
    private typealias Plan = SharePlan<Int>

    private struct Fleet {
        var owners: [Int32: Int?]
        var candidates: [Int32: Set<Int>]

        func plan(_ member: Int) -> Plan {
            Plan(
                self.owners.map {
                    Plan.Stream(StreamID($0.key), owner: $0.value, candidates: self.candidates[$0.key] ?? [])
                },
                for: member)
        }

        /// Each member carries out its part. Returns how many streams have moved or were taken.
        mutating func step(_ members: [Int]) -> Int {
            var changes = 0
            for member in members {
                let plan = self.plan(member)
                for stream in plan.given where self.owners[stream.value] == .some(member) {
                    self.owners[stream.value] = .some(nil)
                    changes += 1
                }
                for stream in plan.taken where self.owners[stream.value] == .some(nil) {
                    self.owners[stream.value] = member
                    changes += 1
                }
            }
            return changes
        }

        func load(_ member: Int) -> Int { self.owners.values.count { $0 == member } }
    }

    private func same(_ streams: Int, _ members: [Int], owner: Int? = nil) -> Fleet {
        Fleet(
            owners: Dictionary(uniqueKeysWithValues: (1...Int32(streams)).map { ($0, owner) }),
            candidates: Dictionary(uniqueKeysWithValues: (1...Int32(streams)).map { ($0, Set(members)) }))
    }

    @Test func oneThatIsAloneTakesAll() {
        let fleet = self.same(5, [1])
        #expect(fleet.plan(1).taken.map(\.value) == [1, 2, 3, 4, 5] && fleet.plan(1).given.isEmpty)
    }

    @Test func whoComesLaterGetsItsShareAndNoMoreMoves() {
        var fleet = self.same(8, [1, 2, 3], owner: 1)
        #expect(fleet.plan(1).given.count == 5 && fleet.plan(2).given.isEmpty)
        var moved = 0
        for _ in 0..<10 { moved += fleet.step([1, 2, 3]) }
        #expect(moved == 10, "five are given and taken")
        #expect([1, 2, 3].map(fleet.load).sorted() == [2, 3, 3])
        #expect(fleet.step([3, 2, 1]) == 0)
    }

    @Test func whatIsFixedStays() {
        let fleet = self.same(4, [1, 2], owner: 1)
        let streams = (1...4).map { Plan.Stream(StreamID($0), owner: 1, candidates: [1, 2]) }
        #expect(fleet.plan(1).given.map(\.value) == [4, 3])
        #expect(Plan(streams, fixed: [StreamID(4)], for: 1).given.map(\.value) == [3, 2])
    }

    @Test func whoHasNoRouteGetsNothing() {
        var fleet = self.same(6, [1], owner: 1)
        fleet.candidates[6] = [1, 2]
        #expect(fleet.plan(1).given.map(\.value) == [6])
        fleet.candidates[6] = [1]
        #expect(fleet.plan(1).given.isEmpty)
    }

    /// From any state, with any routes: nothing stays without an owner that has a candidate, everything comes to rest, and no relay could
    /// have given one of its streams to one that has two less.
    @Test(arguments: 0..<60) func itComesToRest(seed: UInt64) {
        var random = Seeded(seed)
        let members = Array(1...Int.random(in: 1...5, using: &random))
        let count = Int32.random(in: 1...24, using: &random)
        var fleet = Fleet(owners: [:], candidates: [:])
        for id in 1...count {
            let candidates = members.filter { _ in Bool.random(using: &random) }
            fleet.candidates[id] = Set(candidates)
            fleet.owners[id] = .some(Bool.random(using: &random) ? candidates.randomElement(using: &random) : nil)
        }
        var rounds = 0
        while fleet.step(members.shuffled(using: &random)) > 0 {
            rounds += 1
            if rounds > 50 { break }
        }
        #expect(rounds <= 50, "it does not come to rest")
        for (id, candidates) in fleet.candidates where !candidates.isEmpty {
            guard let owner = fleet.owners[id] ?? nil else {
                Issue.record("stream \(id) has no owner")
                continue
            }
            for other in candidates { #expect(fleet.load(owner) - fleet.load(other) < 2) }
        }
    }
}

private struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { self.state = seed &+ 0x9E37_79B9_7F4A_7C15 }

    /// SplitMix64 (Steele, Lea, Flood, 2014).
    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var z = self.state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
