import Testing

@testable import Outbox

@Suite(.timeLimit(.minutes(5))) struct CrashWatchTests {
    private let stream = StreamID(1)
    private let other = StreamID(2)

    private func watch(_ start: StreamStart, isResumed: Bool = false, pageCount: Int = 10) -> CrashWatch {
        CrashWatch([self.stream: start], resumed: isResumed ? [self.stream] : []) { _ in pageCount }
    }

    @Test func theFirstPagesAreNotedAndStruckOut() {
        var watch = self.watch(StreamStart())
        #expect(!watch.isCareful)
        #expect(watch.begin(self.stream, pages: [0, 1]) == StreamStart(count: 1))
        #expect(watch.begin(self.stream, pages: [2]) == nil, "once a process")
        #expect(watch.commit(self.stream, pages: [0]) == nil)
        #expect(watch.commit(self.stream, pages: [1, 2]) == StreamStart())
        #expect(watch.begin(self.stream, pages: [3]) == nil)
        #expect(watch.commit(self.stream, pages: [3]) == nil)
        #expect(watch.finish() == [:])
    }

    @Test func aPageThatIsFinishedBeforeTheFirstOnesStrikesNothingOut() {
        var watch = self.watch(StreamStart(count: 1))
        #expect(watch.begin(self.stream, pages: [0]) == StreamStart(count: 2))
        #expect(watch.commit(self.stream, pages: [1]) == nil, "a deferred one, while the log's first still runs")
        #expect(watch.commit(self.stream, pages: [0]) == StreamStart())
    }

    @Test func theThirdStartIsCareful() {
        for count in 0..<6 {
            #expect(self.watch(StreamStart(count: count)).isCareful == (count >= 2))
            // A session that was lost is no start.
            #expect(self.watch(StreamStart(count: count), isResumed: true).isCareful == (count >= 3))
        }
        #expect(
            CrashWatch(
                [self.stream: StreamStart(), self.other: StreamStart(count: 2)], resumed: [], firstPage: { _ in 1 }
            )
            .isCareful)
    }

    @Test func endingInGoodOrderIsNoCrash() {
        var watch = self.watch(StreamStart(count: 1))
        _ = watch.begin(self.stream, pages: [0])
        #expect(watch.finish() == [self.stream: StreamStart()])
        #expect(watch.finish() == [:])
    }

    @Test func whatIsDeliveredAloneIsNotedBeforeAndForgottenAfterwards() {
        var watch = self.watch(StreamStart(count: 2, suspect: 9, suspectAttempts: 4))
        #expect(watch.crashes(self.stream, id: 8) == 0 && watch.crashes(self.stream, id: 9) == 4)
        let eight = watch.beginAlone(self.stream, id: 8, page: 0)
        #expect(eight == StreamStart(count: 3, suspect: 8, suspectAttempts: 1))
        #expect(watch.commit(self.stream, pages: []) == nil, "what else is committed says nothing of it")
        #expect(watch.commit(self.stream, pages: [7]) == nil, "nor does another page, while its handler is called")
        #expect(watch.commit(self.stream, pages: [0]) == StreamStart(count: 3), "one start, however many are delivered")
        let nine = watch.beginAlone(self.stream, id: 9, page: 1)
        #expect(nine == StreamStart(count: 3, suspect: 9, suspectAttempts: 5))
        // The session was lost meanwhile, and the process lives on: that attempt ended nothing.
        let resumed = self.watch(nine, isResumed: true)
        #expect(resumed.isCareful)
        #expect(resumed.crashes(self.stream, id: 9) == 4)
        #expect(self.watch(StreamStart(count: 3, suspect: 9, suspectAttempts: 1), isResumed: true).isCareful)
    }

    @Test func whatFoundItsDestinationDownIsTakenBack() {
        var watch = self.watch(StreamStart(count: 2, suspect: 9, suspectAttempts: 4))
        #expect(watch.takeBack(self.stream) == nil, "nothing was begun")
        _ = watch.beginAlone(self.stream, id: 8, page: 0)
        #expect(watch.takeBack(self.stream) == StreamStart(count: 3))
        #expect(watch.takeBack(self.stream) == nil)
        for _ in 1...3 {
            let nine = watch.beginAlone(self.stream, id: 9, page: 1)
            #expect(nine == StreamStart(count: 3, suspect: 9, suspectAttempts: 5))
            #expect(watch.takeBack(self.stream) == StreamStart(count: 3, suspect: 9, suspectAttempts: 4))
        }
        #expect(watch.commit(self.stream, pages: [1]) == StreamStart(count: 3), "it is done with, however it ended")
    }

    @Test func careEndsAfterAPageOfEachStream() {
        var watch = CrashWatch(
            [self.stream: StreamStart(count: 2), self.other: StreamStart()], resumed: []
        ) { $0 == self.stream ? 2 : 4 }
        for id in 1...6 {
            #expect(watch.isCareful && !watch.hasSeenEnough)
            _ = watch.beginAlone(id % 2 == 0 ? self.stream : self.other, id: Int64(id), page: id)
        }
        #expect(watch.hasSeenEnough)
        #expect(watch.finish() == [self.stream: StreamStart(), self.other: StreamStart()])
        #expect(!watch.isCareful)
        #expect(watch.begin(self.stream, pages: [6]) == nil, "the start is over")
    }

    /// A log with one message that ends the process, wherever it is: in a model of a process that delivers a page at a time and
    /// stores what it is told to.
    @Test func whateverEndsTheProcessIsFoundAndNothingElse() {
        for pageCount in 1...4 {
            for poison in 1...9 {
                for maximum in 1...3 {
                    self.find(poison: Int64(poison), pageCount: pageCount, maximumAttempts: maximum)
                }
            }
        }
    }

    private func find(poison: Int64, pageCount: Int, maximumAttempts: Int) {
        var stored = StreamStart()
        var position: Int64 = 0
        var dead: [Int64] = []
        var crashes = 0

        /// - Returns: Whether the process has survived it.
        func process() -> Bool {
            var watch = CrashWatch([self.stream: stored], resumed: []) { _ in pageCount }
            var page = 0
            while position < 9 {
                if watch.isCareful, watch.hasSeenEnough { for start in watch.finish().values { stored = start } }
                if watch.isCareful {
                    if watch.crashes(self.stream, id: position + 1) >= maximumAttempts {
                        dead.append(position + 1)
                    } else {
                        stored = watch.beginAlone(self.stream, id: position + 1, page: page)
                        if position + 1 == poison { return false }
                    }
                    position += 1
                } else {
                    stored = watch.begin(self.stream, pages: [page]) ?? stored
                    let last = min(position + Int64(pageCount), 9)
                    if (position + 1...last).contains(poison) { return false }
                    position = last
                }
                stored = watch.commit(self.stream, pages: [page]) ?? stored
                page += 1
            }
            return true
        }

        while !process() {
            crashes += 1
            if crashes > 100 { break }
        }
        #expect(dead == [poison], "page of \(pageCount)")
        // Twice among those that a process begins with, once more where something came before them, and then alone.
        let isFirst = poison <= pageCount
        #expect(crashes == (isFirst ? 2 : 3) + maximumAttempts, "message \(poison), page of \(pageCount)")
        #expect(stored.suspect == nil)
    }
}
