import Outbox
import Testing

@testable import OutboxPostgres

/// When an outage is written into a stream's row.
@Suite(.timeLimit(.minutes(1))) struct OutageNotesTests {
    private let start = ContinuousClock.now

    private func activity(_ reasons: [Int32: String?]) -> [StreamID: StreamActivity] {
        Dictionary(
            uniqueKeysWithValues: reasons.map { id, reason in
                (
                    StreamID(id),
                    StreamActivity(
                        inFlight: 0, outage: reason.map { StreamActivity.Outage(reason: $0, since: self.start) })
                )
            })
    }

    /// What is to be written at a time, and counts as written unless it is refused.
    private func write(_ notes: inout OutageNotes, after seconds: Int, refused: Set<Int32> = []) -> [Int32: String?] {
        let now = self.start + .seconds(seconds)
        let changes = notes.changes(now: now)
        if !changes.isEmpty { notes.wrote(changes.filter { !refused.contains($0.stream.value) }, now: now) }
        return Dictionary(uniqueKeysWithValues: changes.map { ($0.stream.value, $0.outage?.reason) })
    }

    @Test func whatLastsIsWrittenOnce() {
        var notes = OutageNotes()
        notes.note(self.activity([1: nil, 2: nil]), now: self.start)
        #expect(notes.due == nil)
        notes.note(self.activity([1: "refused", 2: nil]), now: self.start)
        #expect(notes.due == self.start + .seconds(1) && self.write(&notes, after: 0).isEmpty)
        #expect(self.write(&notes, after: 1) == [1: "refused"] && notes.due == nil)
        notes.note(self.activity([1: "timed out", 2: "refused"]), now: self.start + .seconds(2))
        #expect(self.write(&notes, after: 3) == [1: "timed out", 2: "refused"])
        notes.note(self.activity([1: nil, 2: "refused"]), now: self.start + .seconds(4))
        #expect(self.write(&notes, after: 5) == [1: nil] && notes.due == nil)
    }

    @Test func whatIsOverInASecondIsNot() {
        var notes = OutageNotes()
        notes.note(self.activity([1: "refused"]), now: self.start)
        notes.note(self.activity([1: nil]), now: self.start)
        #expect(notes.due == nil && self.write(&notes, after: 5).isEmpty)
    }

    @Test func whatCouldNotBeWrittenIsTriedAgain() {
        var notes = OutageNotes()
        notes.note(self.activity([1: "refused", 2: "refused"]), now: self.start)
        #expect(self.write(&notes, after: 1, refused: [2]).count == 2)
        #expect(notes.due == self.start + .seconds(2))
        #expect(self.write(&notes, after: 2) == [2: "refused"] && notes.due == nil)
    }

    /// A relay that was killed, or was started again with what is right, has left it.
    @Test(arguments: [nil, "refused"]) func whatAnEarlierSessionHasLeftIsWrittenOver(reason: String?) {
        var notes = OutageNotes()
        notes.found(StreamID(1), now: self.start)
        notes.note(self.activity([1: reason, 2: nil]), now: self.start)
        #expect(self.write(&notes, after: 1) == [1: reason] && notes.due == nil)
    }

    /// Another relay has the stream then, and writes what it sees.
    @Test func nothingIsWrittenOfAStreamThatIsAnothersNow() {
        var notes = OutageNotes()
        notes.note(self.activity([1: "refused"]), now: self.start)
        #expect(self.write(&notes, after: 1).count == 1)
        notes.note(self.activity([2: nil]), now: self.start + .seconds(2))
        #expect(notes.due == nil && self.write(&notes, after: 5).isEmpty)
        // And if it comes back, it is written again.
        notes.note(self.activity([1: "refused"]), now: self.start + .seconds(6))
        #expect(self.write(&notes, after: 7) == [1: "refused"])
    }
}
