@testable import OutboxPostgres
import Testing

@Suite struct CursorTests {
    private let start = Cursor(snapshot: [1], position: 10, horizon: 99)

    @Test func anEmptyPollMovesTheSnapshotOnly() {
        let (late, fresh) = self.start.after(
            late: .init(lastID: nil, isFull: false), fresh: .init(lastID: nil, isFull: false), current: [2])
        #expect(late == Cursor(snapshot: [2], position: 10))
        #expect(fresh == Cursor(snapshot: [2], position: 10))
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
}
