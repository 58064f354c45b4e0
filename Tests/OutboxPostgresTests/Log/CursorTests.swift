@testable import OutboxPostgres
import Testing

@Suite(.timeLimit(.minutes(10))) struct CursorTests {
    private let start = Cursor(snapshot: [1], position: 10, horizon: 99)

    @Test func anEmptyPollMovesTheSnapshotOnly() {
        let (late, fresh) = self.start.after(
            late: .init(lastID: nil, isFull: false), fresh: .init(lastID: nil, isFull: false), current: [2])
        #expect(late == Cursor(snapshot: [2], position: 10))
        #expect(fresh == Cursor(snapshot: [2], position: 10, isComplete: true))
    }

    @Test func aFreshPageMovesThePosition() {
        let (late, fresh) = self.start.after(
            late: .init(lastID: 7, isFull: false), fresh: .init(lastID: 25, isFull: true), current: [2])
        #expect(late == Cursor(snapshot: [2], position: 10), "behind the late page nothing fresh is handled yet")
        #expect(fresh == Cursor(snapshot: [2], position: 25))
    }

    @Test func aFullLatePageKeepsTheSnapshotAndDropsTheFreshPart() {
        let (late, fresh) = self.start.after(
            late: .init(lastID: 4, isFull: true), fresh: .init(lastID: 25, isFull: false), current: [2])
        var expected = self.start
        expected.catchup = .init(snapshot: [2], position: 4)
        #expect(late == expected)
        #expect(fresh == nil)
        #expect(late.read == .catchup(.init(snapshot: [2], position: 4)))
    }

    @Test func catchingUpEndsWithThePinnedSnapshot() {
        var cursor = self.start
        cursor.catchup = .init(snapshot: [2], position: 4)
        let more = cursor.after(catchup: .init(lastID: 6, isFull: true), of: .init(snapshot: [2], position: 4))
        #expect(more.catchup == .init(snapshot: [2], position: 6))
        #expect(more.snapshot == [1])
        let done = more.after(catchup: .init(lastID: 9, isFull: false), of: .init(snapshot: [2], position: 6))
        #expect(done == Cursor(snapshot: [2], position: 10))
        let empty = more.after(catchup: .init(lastID: nil, isFull: false), of: .init(snapshot: [2], position: 6))
        #expect(empty == Cursor(snapshot: [2], position: 10))
    }

    @Test func whatIsNewMovesBoth() {
        let complete = Cursor(snapshot: [1], position: 10, isComplete: true)
        let (late, fresh) = complete.after(lastNew: 25, current: [2])
        #expect(late == Cursor(snapshot: [2], position: 10), "what is fresh in it is not handled with the late page")
        #expect(fresh == Cursor(snapshot: [2], position: 25, isComplete: true))
        #expect(complete.after(lastNew: 7, current: [2]).fresh == Cursor(snapshot: [2], position: 10, isComplete: true))
    }

    @Test func isBroughtForward() {
        let complete = Cursor(snapshot: [1], position: 10, isComplete: true)
        #expect(complete.after(lowestNew: nil, current: [2]) == Cursor(snapshot: [2], position: 10, isComplete: true))
        #expect(complete.after(lowestNew: 11, current: [2]) == Cursor(snapshot: [2], position: 10))
        let late = Cursor(
            snapshot: [1], position: 10, catchup: .init(snapshot: [2], position: 6, isUntouched: true))
        #expect(complete.after(lowestNew: 7, current: [2]) == late)
        // Once more, before anything of the late part was read.
        var later = late
        later.catchup = .init(snapshot: [3], position: 6, isUntouched: true)
        #expect(late.after(lowestNew: nil, current: [3]) == later)
        #expect(late.after(lowestNew: 9, current: [3]) == later)
        #expect(late.after(lowestNew: 11, current: [3]) == later)
        later.catchup = .init(snapshot: [3], position: 4, isUntouched: true)
        #expect(late.after(lowestNew: 5, current: [3]) == later)
    }

    @Test func isNotBroughtForward() {
        var cursor = Cursor(snapshot: [1], position: 1_000_000, isComplete: true)
        #expect(cursor.after(lowestNew: 10, current: [2]) == nil, "walking over a million ids is no way to find a few")
        #expect(cursor.canBeBroughtForward)
        cursor.horizon = 5
        #expect(!cursor.canBeBroughtForward, "of a stored cursor it is known what can be late")
        cursor.horizon = nil
        cursor.catchup = .init(snapshot: [2], position: 4)
        #expect(!cursor.canBeBroughtForward, "part of it was read")
    }
}
