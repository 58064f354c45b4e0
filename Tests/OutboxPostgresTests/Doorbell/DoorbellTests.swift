import Testing

@testable import OutboxPostgres

/// The doorbell's protocol, checked over every interleaving of producers and a relay.
@Suite(.timeLimit(.minutes(10))) struct DoorbellTests {
    /// Producers, the bell and a relay, each step of which is atomic, as the server makes it.
    struct World: Hashable {
        enum Producer: Hashable {
            case idle
            /// Holds the bell shared: it will not ring.
            case silent
            /// Was refused the bell: it rings when it commits.
            case ringing
            case done
        }

        var producers: [Producer]
        var bellHeldByRelay = false
        var unread = 0
        var notifications = 0
        var doorbell: Doorbell
        /// Whether a poll follows when the bell was taken (else the protocol is broken).
        var secondPoll = true
        /// How far a poll has come.
        var poll = Poll.none

        enum Poll: Hashable {
            case none
            /// It was tried to take the bell, or there was no need to; the snapshot is not taken.
            case begun(granted: Bool?)
            /// The snapshot is taken, the bell not released.
            case seen(Doorbell.Found, granted: Bool?)
        }

        var bellIsShared: Bool { self.producers.contains(.silent) }
        var isOver: Bool { self.producers.allSatisfy { $0 == .done } }

        /// Every state that one step of a producer or of the relay leads to.
        func successors() -> [World] {
            var worlds: [World] = []
            for (index, producer) in self.producers.enumerated() {
                var next = self
                switch producer {
                case .idle:
                    next.producers[index] = self.bellHeldByRelay ? .ringing : .silent
                    worlds.append(next)
                    next.producers[index] = .done // Rolled back before it did anything.
                    worlds.append(next)
                case .silent:
                    next.producers[index] = .done
                    worlds.append(next) // rolled back
                    next.unread += 1
                    worlds.append(next)
                case .ringing:
                    next.producers[index] = .done
                    worlds.append(next)
                    next.unread += 1
                    next.notifications += 1
                    worlds.append(next)
                case .done:
                    break
                }
            }
            if let next = self.afterRelayStep() { worlds.append(next) }
            return worlds
        }

        private func afterRelayStep() -> World? {
            var next = self
            switch self.doorbell.step {
            case .pause:
                next.doorbell.pauseEnded()
            case .sleep:
                guard self.notifications > 0 else { return nil }
                next.notifications = 0
                next.doorbell.rang()
            case .poll(let release, let arm):
                next.poll(release: release, arm: arm)
            }
            return next
        }

        /// One step of a poll, as the pipeline has them.
        private mutating func poll(release: Bool, arm: Bool) {
            switch self.poll {
            case .none:
                let granted = arm ? !self.bellIsShared : nil
                if granted == true { self.bellHeldByRelay = true }
                self.poll = .begun(granted: granted)
            case .begun(let granted):
                if granted == true && !self.secondPoll {
                    self.poll = .seen(.nothing, granted: granted)
                } else {
                    self.poll = .seen(self.unread > 0 ? .some : .nothing, granted: granted)
                    self.unread = 0
                }
            case .seen(let found, let granted):
                if release { self.bellHeldByRelay = false }
                self.doorbell.polled(found, released: release, granted: granted)
                self.poll = .none
            }
        }

        /// Whether the relay sleeps for ever on messages that have committed.
        var isLost: Bool {
            self.isOver && self.unread > 0 && self.notifications == 0 && self.doorbell.step == .sleep
        }
    }

    /// Explores all reachable states.
    private func explore(_ start: World) -> (states: Int, lost: World?) {
        var seen: Set<World> = [start]
        var queue = [start]
        while let world = queue.popLast() {
            if world.isLost { return (seen.count, world) }
            for next in world.successors() where seen.insert(next).inserted { queue.append(next) }
        }
        return (seen.count, nil)
    }

    private var policy: Doorbell.Policy {
        var policy = Doorbell.Policy()
        policy.longestPause = .milliseconds(4) // fewer states
        return policy
    }

    @Test func noWakeUpIsLost() {
        let world = World(producers: [.idle, .idle, .idle], doorbell: Doorbell(policy: self.policy))
        let (states, lost) = self.explore(world)
        #expect(lost == nil)
        #expect(states > 500, "the exploration has to reach something")
    }

    /// A doorbell that has found messages one by one, far apart.
    private var farApart: Doorbell {
        var doorbell = Doorbell(policy: self.policy)
        for _ in 1...2 {
            doorbell.polled(.some, messages: 1, released: false, granted: nil, distance: .seconds(1))
        }
        doorbell.rang()
        return doorbell
    }

    @Test func noWakeUpIsLostWhereMessagesComeOneByOne() {
        #expect(self.farApart.isFarApart)
        let (states, lost) = self.explore(World(producers: [.idle, .idle, .idle], doorbell: self.farApart))
        #expect(lost == nil)
        #expect(states > 200)
        let broken = World(producers: [.idle, .idle, .idle], doorbell: self.farApart, secondPoll: false)
        #expect(self.explore(broken).lost != nil)
    }

    /// One look that brings the message and one that comes with the bell.
    @Test func oneByOneTwoPollsAreEnough() {
        var doorbell = self.farApart
        #expect(doorbell.step == .poll(release: false, arm: false))
        doorbell.polled(.some, messages: 1, released: true, granted: nil, distance: .seconds(1))
        #expect(doorbell.step == .poll(release: false, arm: true))
        doorbell.polled(.nothing, released: false, granted: true)
        #expect(doorbell.step == .sleep)
        // A producer is in flight.
        doorbell.rang()
        doorbell.polled(.some, messages: 1, released: true, granted: nil, distance: .seconds(1))
        doorbell.polled(.nothing, released: false, granted: false)
        #expect(doorbell.step == .pause(.milliseconds(2)))
        doorbell.pauseEnded()
        #expect(doorbell.step == .poll(release: false, arm: true))
    }

    /// Where the relay only polls, no producer rings.
    @Test func whoOnlyPollsNeverTakesTheBell() {
        var policy = Doorbell.Policy()
        policy.pollingInterval = .milliseconds(200)
        var doorbell = Doorbell(policy: policy)
        for number in 1...40 {
            let found: Doorbell.Found = number.isMultiple(of: 4) ? .some : .nothing
            doorbell.polled(found, messages: 1, released: false, granted: nil, distance: .seconds(1))
            guard case .pause = doorbell.step else { Issue.record("\(doorbell.step) after \(number)"); return }
            doorbell.pauseEnded()
            #expect(doorbell.step == .poll(release: false, arm: false))
        }
    }

    /// Where there is more to look at than one poll does, the bell is kept until all was looked at.
    @Test func whatIsBegunWithTheBellIsLookedThrough() {
        var doorbell = Doorbell()
        for _ in 1...3 { doorbell.polled(.nothing, released: false, granted: nil) }
        #expect(doorbell.step == .poll(release: false, arm: true))
        doorbell.polled(.partial, released: false, granted: true)
        #expect(doorbell.step == .poll(release: false, arm: false))
        doorbell.polled(.partial, released: false, granted: nil)
        #expect(doorbell.step == .poll(release: false, arm: false))
        doorbell.polled(.nothing, released: false, granted: nil)
        #expect(doorbell.step == .sleep)
        // Refused, it is tried again when all was looked at once.
        doorbell.rang()
        for _ in 1...3 { doorbell.polled(.nothing, released: true, granted: nil) }
        doorbell.polled(.partial, released: false, granted: false)
        #expect(doorbell.step == .poll(release: false, arm: false))
        doorbell.polled(.nothing, released: false, granted: nil)
        guard case .pause = doorbell.step else { Issue.record("\(doorbell.step)"); return }
    }

    @Test func aBurstIsNoticedByItsFirstMessages() {
        var doorbell = self.farApart
        var count = 0
        while doorbell.isFarApart, count < 100 {
            doorbell.polled(.some, messages: 1, released: false, granted: nil, distance: .milliseconds(1))
            count += 1
        }
        #expect(count <= 4)
        guard case .pause = doorbell.step else { Issue.record("it pauses between polls"); return }
        while !doorbell.isFarApart, count < 100 {
            doorbell.polled(.some, messages: 1, released: false, granted: nil, distance: .milliseconds(100))
            count += 1
        }
        #expect(count <= 8)
        // Between the two limits nothing changes.
        for _ in 0..<100 {
            doorbell.polled(.some, messages: 1, released: false, granted: nil, distance: .milliseconds(7))
        }
        #expect(doorbell.isFarApart)
    }

    @Test func withoutTheSecondPollAWakeUpIsLost() {
        let world = World(
            producers: [.idle, .idle, .idle], doorbell: Doorbell(policy: self.policy), secondPoll: false)
        #expect(self.explore(world).lost != nil)
    }

    /// Where many come, a relay looks less often, and at once as often as before when fewer come.
    @Test func pausesGrowWithWhatComes() {
        var doorbell = Doorbell()
        var pauses: [Duration] = []
        for messages in [1, 15, 16, 100, 1000, 1000, 15, 16, 16] {
            doorbell.polled(.some, messages: messages, released: false, granted: nil)
            guard case .pause(let pause) = doorbell.step else { Issue.record("no pause"); return }
            pauses.append(pause)
            doorbell.pauseEnded()
        }
        #expect(pauses == [1, 1, 2, 4, 4, 4, 1, 2, 4].map { .milliseconds($0) })
        // After a poll that found nothing it begins with the shortest.
        doorbell.polled(.nothing, released: false, granted: nil)
        doorbell.polled(.some, messages: 1000, released: false, granted: nil)
        #expect(doorbell.step == .pause(.milliseconds(1)))
    }

    @Test func aBusyRelayNeverTakesTheBell() {
        var doorbell = Doorbell()
        for _ in 0..<1000 {
            guard case .poll(release: false, arm: false) = doorbell.step else {
                Issue.record("took the bell")
                return
            }
            doorbell.polled(.some, released: false, granted: nil)
            #expect(doorbell.step == .pause(.milliseconds(1)))
            doorbell.pauseEnded()
        }
    }

    @Test func afterAFullPageThereIsNoPause() {
        var doorbell = Doorbell()
        doorbell.polled(.full, released: false, granted: nil)
        #expect(doorbell.step == .poll(release: false, arm: false))
    }

    @Test func whileRefusedItPollsWithGrowingPauses() {
        var doorbell = Doorbell()
        var pauses: [Duration] = []
        for _ in 0..<40 {
            switch doorbell.step {
            case .poll(let release, let arm):
                #expect(!release)
                doorbell.polled(.nothing, released: false, granted: arm ? false : nil)
            case .pause(let duration):
                pauses.append(duration)
                doorbell.pauseEnded()
            case .sleep:
                Issue.record("slept without the bell")
            }
        }
        #expect(pauses.first == .milliseconds(1))
        #expect(pauses.last == .milliseconds(20))
        #expect(zip(pauses, pauses.dropFirst()).allSatisfy { $0 <= $1 })
    }

    @Test func onWakingTheBellIsReleasedWithThePoll() {
        var doorbell = self.asleep()
        doorbell.rang()
        #expect(doorbell.step == .poll(release: true, arm: false))
        doorbell.polled(.some, released: true, granted: nil)
        #expect(!doorbell.isHeld)
    }

    @Test func messagesFoundAfterTakingTheBellReleaseIt() {
        var doorbell = Doorbell()
        while true {
            if case .poll(_, arm: true) = doorbell.step { break }
            if case .pause = doorbell.step {
                doorbell.pauseEnded()
            } else {
                doorbell.polled(.nothing, released: false, granted: nil)
            }
        }
        doorbell.polled(.some, released: false, granted: true)
        #expect(doorbell.step == .poll(release: true, arm: false))
    }

    @Test func pollingOnlyNeverTakesTheBell() {
        var policy = Doorbell.Policy()
        policy.pollingInterval = .milliseconds(250)
        var doorbell = Doorbell(policy: policy)
        for _ in 0..<10 {
            #expect(doorbell.step == .poll(release: false, arm: false))
            doorbell.polled(.nothing, released: false, granted: nil)
            #expect(doorbell.step == .pause(.milliseconds(250)))
            doorbell.pauseEnded()
        }
    }

    private func asleep() -> Doorbell {
        var doorbell = Doorbell()
        while doorbell.step != .sleep {
            switch doorbell.step {
            case .poll(let release, let arm): doorbell.polled(.nothing, released: release, granted: arm ? true : nil)
            case .pause: doorbell.pauseEnded()
            case .sleep: break
            }
        }
        return doorbell
    }
}
