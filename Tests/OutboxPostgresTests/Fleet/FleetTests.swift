import Outbox
import Testing

@testable import OutboxPostgres

/// What a session does after it has looked at the locks of others.
@Suite(.timeLimit(.minutes(1))) struct FleetTests {
    private let start = ContinuousClock.now

    private func stream(_ id: Int32, _ destination: Destination = "d", _ slots: ClosedRange<Int16> = 0...1023)
        -> StreamState
    {
        StreamState(
            id: StreamID(id), destination: destination, slots: slots, cursor: Cursor(snapshot: [], position: 0),
            place: [],
            generation: 0, isPaused: false, start: StreamStart())
    }

    private func holder(
        _ process: Int32, owns: Set<Int32> = [], waits: Set<Int32> = [], routes: [String?] = ["d"], isOwn: Bool = false,
        isMember: Bool = true,
        isRelay: Bool = true, isSilent: Bool = false
    ) -> Fleet.Holder {
        Fleet.Holder(
            process: process, isOwn: isOwn, owned: owns, waits: waits,
            routes: Set(routes.map { FleetLock.route($0, subscription: "main") }), isMember: isMember, isRelay: isRelay,
            isSilent: isSilent, role: "r", application: "a")
    }

    /// A fleet that has joined as process 1, with streams of one destination.
    private func fleet(_ ids: ClosedRange<Int32>, locked: [Int32] = []) -> Fleet {
        var fleet = Fleet(subscription: "main")
        _ = fleet.join(["d"], andOthers: false, lookingEvery: .seconds(1), now: self.start)
        fleet.loaded(ids.map { self.stream($0) }, now: self.start)
        for number in locked {
            if number == FleetLock.keeper { fleet.keeps() } else { fleet.took(StreamID(number)) }
        }
        return fleet
    }

    private func look(
        _ fleet: inout Fleet, _ holders: Fleet.Holder..., queueUsage: Double = 0, after: Duration = .zero
    ) -> Fleet.Decision {
        fleet.saw(holders, listens: true, queueUsage: queueUsage, now: self.start + after)
    }

    @Test func oneThatIsAloneTakesAllAndLooksNoMore() {
        var fleet = self.fleet(1...3)
        #expect(self.look(&fleet, self.holder(1, isOwn: true)).take == [1, 2, 3])
        for number in 1...3 as ClosedRange<Int32> { fleet.took(StreamID(number)) }
        let decision = self.look(&fleet, self.holder(1, owns: [1, 2, 3], isOwn: true))
        #expect(decision.take.isEmpty && decision.drop.isEmpty && fleet.lookDue == nil && !fleet.hasOthers)
    }

    @Test func whatOthersCouldNotBeToldIsToldLater() {
        var fleet = self.fleet(1...1)
        fleet.told(false, now: self.start)
        // The first look is not put off for that.
        #expect(fleet.lookDue == self.start)
        _ = self.look(&fleet, self.holder(1, isOwn: true), self.holder(2, owns: [1]))
        #expect(fleet.isUntold)
        fleet.told(false, now: self.start + .seconds(1))
        #expect(fleet.lookDue == self.start + .seconds(1))
        fleet.told(true, now: self.start + .seconds(1))
        #expect(!fleet.isUntold)
        // Who comes later finds it by itself.
        fleet.told(false, now: self.start)
        _ = self.look(&fleet, self.holder(1, isOwn: true))
        #expect(!fleet.isUntold)
    }

    @Test func oneThatCouldNotKeepLooksAgain() {
        var fleet = self.fleet(1...1, locked: [1])
        _ = self.look(&fleet, self.holder(1, owns: [1], isOwn: true))
        #expect(fleet.lookDue == nil)
        fleet.couldNotKeep(now: self.start)
        #expect(fleet.lookDue == self.start + .seconds(1) && !fleet.isKeeper)
    }

    /// Nobody rings into a queue that is filling up, for who rings when it is full cannot commit.
    @Test func whereTheQueueIsCrowdedThereIsNoKeeper() {
        var fleet = self.fleet(1...1, locked: [1])
        let own = self.holder(1, owns: [1, FleetLock.keeper], isOwn: true)
        fleet.reads(now: self.start)
        #expect(self.look(&fleet, self.holder(1, owns: [1], isOwn: true), queueUsage: 0.49).keep)
        fleet.keeps()
        #expect(!self.look(&fleet, own, queueUsage: 0.49).resigns)
        // Also one that is rung all the time and alone.
        #expect(fleet.lookDue == self.start + .seconds(30))
        #expect(self.look(&fleet, own, queueUsage: 0.5).resigns)
        #expect(!fleet.isKeeper && fleet.lookDue == self.start + .seconds(1), "it looks whether there is room again")
        for usage in [0.5, 0.25] {
            let crowded = self.look(&fleet, self.holder(1, owns: [1], isOwn: true), queueUsage: usage)
            #expect(!crowded.resigns && !crowded.keep)
            #expect(crowded.wakes, "one that sleeps by the word of a keeper that went unheard")
        }
        let roomy = self.look(&fleet, self.holder(1, owns: [1], isOwn: true), queueUsage: 0.24)
        #expect(roomy.keep && !roomy.wakes)
    }

    /// While another one keeps the bell, nobody is woken by what the queue is like.
    @Test func whereAnotherKeepsTheBellNobodyIsWoken() {
        var fleet = self.fleet(1...1, locked: [1])
        fleet.reads(now: self.start)
        let others = [self.holder(1, owns: [1], isOwn: true), self.holder(2, owns: [FleetLock.keeper])]
        let decision = fleet.saw(others, listens: true, queueUsage: 0.9, now: self.start)
        #expect(!decision.wakes && !decision.keep)
    }

    @Test func whatIsForAnotherRelayIsGivenOnce() {
        var fleet = self.fleet(1...4, locked: [1, 2, 3, 4])
        _ = self.look(&fleet, self.holder(1, owns: [1, 2, 3, 4], isOwn: true), self.holder(2))
        #expect(fleet.takeSurplus() == [StreamID(4), StreamID(3)])
        // They are being finished meanwhile.
        _ = self.look(&fleet, self.holder(1, owns: [1, 2, 3, 4], isOwn: true), self.holder(2), after: .seconds(1))
        #expect(fleet.lookDue == self.start + .seconds(2))
        #expect(fleet.takeSurplus() == [], "nor is anything else given")
        // One of them could not be finished: it is kept, and another is given.
        _ = self.look(
            &fleet, self.holder(1, owns: [1, 2, 4], isOwn: true), self.holder(2, owns: [3]), after: .seconds(10))
        #expect(fleet.takeSurplus() == [StreamID(2)])
    }

    /// Streams that the relay has no route for count too.
    @Test func whatOthersHaveBesideIsCounted() {
        var fleet = self.fleet(1...3, locked: [1, 2, 3])
        let own = self.holder(1, owns: [1, 2, 3], isOwn: true)
        _ = self.look(&fleet, own, self.holder(2, owns: [7, 8], routes: ["d", "e"]))
        #expect(fleet.takeSurplus() == [])
        _ = self.look(&fleet, own, self.holder(2, owns: [7], routes: ["d", "e"]))
        #expect(fleet.takeSurplus() == [StreamID(3)])
    }

    @Test func aStreamThatNoneTakesIsNotLeft() {
        var fleet = self.fleet(1...2, locked: [1])
        let others = self.holder(2)
        #expect(self.look(&fleet, self.holder(1, owns: [1], isOwn: true), others).take == [])
        #expect(self.look(&fleet, self.holder(1, owns: [1], isOwn: true), others, after: .milliseconds(900)).take == [])
        #expect(self.look(&fleet, self.holder(1, owns: [1], isOwn: true), others, after: .seconds(1)).take == [2])
        fleet.took(StreamID(2))
        // It would be for the other one still.
        _ = self.look(&fleet, self.holder(1, owns: [1, 2], isOwn: true), others, after: .seconds(2))
        #expect(!fleet.takeSurplus().contains(StreamID(2)))
    }

    @Test func aRelayWithoutARouteIsNoCandidate() {
        var fleet = self.fleet(1...2, locked: [1, 2])
        _ = self.look(&fleet, self.holder(1, owns: [1, 2], isOwn: true), self.holder(2, routes: ["e"]))
        #expect(fleet.takeSurplus() == [] && fleet.hasOthers)
        _ = self.look(&fleet, self.holder(1, owns: [1, 2], isOwn: true), self.holder(2, routes: [nil]))
        #expect(fleet.takeSurplus() == [StreamID(2)])
    }

    @Test func relaysOfAnotherSubscriptionShareNothingButTheBell() {
        var fleet = self.fleet(1...2, locked: [1, 2])
        let other = self.holder(2, owns: [-1, 9], isMember: false)
        fleet.reads(now: self.start)
        let decision = self.look(&fleet, self.holder(1, owns: [1, 2], isOwn: true), other)
        #expect(fleet.hasOthers && fleet.takeSurplus() == [] && decision.take == [])
        #expect(self.look(&fleet, self.holder(1, owns: [1, 2], isOwn: true)).keep)
    }

    @Test func aKeeperThatDoesNotReadGivesWay() {
        var fleet = self.fleet(1...1, locked: [1, FleetLock.keeper])
        #expect(fleet.isKeeper)
        let own = self.holder(1, owns: [-1, 1], isOwn: true)
        fleet.reads(now: self.start)
        #expect(!self.look(&fleet, own, self.holder(2), after: .seconds(2)).resigns)
        #expect(self.look(&fleet, own, after: .seconds(9)).resigns == false, "nothing depends on one that is alone")
        #expect(self.look(&fleet, own, self.holder(2), after: .seconds(10)).resigns)
        #expect(!fleet.isKeeper)
        #expect(
            self.look(&fleet, self.holder(1, owns: [1], isOwn: true), after: .seconds(11)).keep == false,
            "it does not read")
    }

    @Test func whatIsSilentIsEndedByOneThatHasBeenThereForLonger() {
        var fleet = self.fleet(1...2, locked: [1])
        let own = self.holder(1, owns: [1], isOwn: true)
        let silent = self.holder(2, owns: [2], isSilent: true)
        #expect(self.look(&fleet, own, silent, after: .seconds(29)).end.isEmpty)
        #expect(self.look(&fleet, own, silent, after: .seconds(30)).end.map(\.process) == [2])
        // Where the role may not end it, that is tried and told once a minute, not with each look.
        #expect(self.look(&fleet, own, silent, after: .seconds(31)).end.isEmpty)
        #expect(self.look(&fleet, own, silent, after: .seconds(90)).end.map(\.process) == [2])
        #expect(
            self.look(&fleet, own, self.holder(2, isSilent: true), after: .seconds(200)).end.isEmpty, "it has nothing")
    }

    @Test func aSessionThatIsNoRelayAndHasAStreamIsToldOfEachMinute() {
        var fleet = self.fleet(1...1)
        let own = self.holder(1, isOwn: true)
        let other = self.holder(2, owns: [1], routes: [], isMember: false, isRelay: false)
        let told = [0, 9, 10, 69, 70, 110].map { self.look(&fleet, own, other, after: .seconds($0)).foreign.count }
        #expect(told == [0, 0, 1, 0, 1, 0])
        #expect(fleet.lookDue == self.start + .seconds(111), "nothing tells when it ends")
        // One that has gone meanwhile is another one.
        #expect(self.look(&fleet, own, after: .seconds(170)).foreign.isEmpty)
        #expect(self.look(&fleet, own, other, after: .seconds(180)).foreign.isEmpty)
    }

    @Test func whatIsLostIsKeptUntilItIsReleased() {
        var fleet = self.fleet(1...2, locked: [1, 2])
        fleet.lost(StreamID(1))
        #expect(!fleet.owns(StreamID(1)) && fleet.owns(StreamID(2)))
        #expect(self.look(&fleet, self.holder(1, owns: [1, 2], isOwn: true)).take == [])
        #expect(fleet.release([StreamID(1), StreamID(7)], now: self.start) == [1])
        #expect(self.look(&fleet, self.holder(1, owns: [2], isOwn: true)).take == [1])
        // A row that is gone.
        fleet.loaded([self.stream(1)], now: self.start)
        #expect(self.look(&fleet, self.holder(1, owns: [2], isOwn: true)).drop == [2])
    }

    @Test func whoWaitsForAStreamGetsIt() {
        var fleet = self.fleet(1...2, locked: [1])
        let own = self.holder(1, owns: [1], isOwn: true)
        let other = self.holder(9, waits: [1, 2], routes: [], isMember: false, isRelay: false)
        #expect(self.look(&fleet, own, other).take == [])
        #expect(fleet.takeSurplus() == [StreamID(1)] && !fleet.hasOthers)
        #expect(self.look(&fleet, own, other, after: .seconds(1)).take == [], "however long")
        #expect(fleet.takeSurplus() == [StreamID(1)] && fleet.lookDue == self.start + .seconds(2))
        #expect(self.look(&fleet, own, after: .seconds(2)).take == [2] && fleet.takeSurplus() == [])
    }

    @Test func slotsWithoutAStreamAreNoticed() {
        var fleet = self.fleet(1...1)
        #expect(!fleet.isIncomplete)
        fleet.loaded([self.stream(1, "d", 0...511), self.stream(2, "d", 513...1023)], now: self.start)
        #expect(fleet.isIncomplete)
        fleet.loaded(
            [self.stream(2, "d", 512...1023), self.stream(1, "d", 0...511), self.stream(3, "e")], now: self.start)
        #expect(!fleet.isIncomplete)
        fleet.loaded([self.stream(1, "d", 1...1023)], now: self.start)
        #expect(fleet.isIncomplete)
    }

    @Test func messagesForOthersAreNoticed() {
        var traffic = LogTraffic()
        var answers: [Bool] = []
        func look(_ lastID: Int64) { answers.append(traffic.isForOthers(lastID: lastID)) }
        look(100) // nothing is known of before
        look(100)
        traffic.read(3)
        look(103) // its own
        traffic.read(2)
        look(106)
        look(107) // what was read before is not counted again
        traffic.read(9)
        look(100) // ids that begin again
        #expect(answers == [false, false, false, true, true, false])
    }

    @Test func numbersOfRoutesAreApartFromAllOthers() {
        let names = (0..<20_000).map { "destination \($0)" }
        let numbers = Set(names.map { FleetLock.route($0, subscription: "main") })
        #expect(numbers.count > 19_990)
        #expect(numbers.allSatisfy { (-1_073_741_825...(-2)).contains($0) })
        #expect(FleetLock.route("d", subscription: "a") != FleetLock.route("d", subscription: "b"))
        #expect(FleetLock.route("d", subscription: "main") == FleetLock.route("d", subscription: "main"))
    }
}
