import Foundation
import OutboxPostgres
import TestSupport
import Testing

/// A stream is paused and resumed; in between nothing of it is delivered that had not been read.
struct StreamPause: Disturbance {
    let name = "pauses"

    func strike(_ run: FaultRun, _ random: inout SeededGenerator) async throws {
        guard let destination = run.destinations.randomElement(using: &random) else { return }
        run.tally.note(self.name, windows: 0)
        // The server may be away.
        if try await run.operate("stream pause \(destination)").status != 0 { return }
        // What had been read is delivered, and more often than once where sessions end.
        var count = try await run.delivered(of: destination)
        var quiet = 0
        while quiet < 20, !run.isOver {
            try await Task.sleep(for: .milliseconds(50))
            let now = try await run.delivered(of: destination)
            quiet = now == count && run.isFluent ? quiet + 1 : 0
            count = now
        }
        try await self.pause(0...1000, &random)
        let late = try await run.delivered(of: destination) - count
        #expect(late <= 0 || run.isOver, "\(late) messages of “\(destination)” were delivered long after it was paused")
        try await until("“\(destination)” is resumed") {
            try await run.operate("stream resume \(destination)").status == 0
        }
    }
}

/// A destination is divided, or made one stream again, while its relays are at work.
struct StreamDivision: Disturbance {
    let name = "splits and merges"

    func strike(_ run: FaultRun, _ random: inout SeededGenerator) async throws {
        guard let destination = run.destinations.randomElement(using: &random) else { return }
        let isSplit = random.chance(1, in: 2)
        let count = random.chance(1, in: 2) ? 2 : 4
        // A relay may not hand a stream over in time, the server be away, or the streams not be divisible so.
        let ending = try await run.operate(
            isSplit ? "stream split \(destination) --into \(count) --wait 5s" : "stream merge \(destination) --wait 5s")
        if ending.status == 0 { run.tally.note(self.name, windows: 0) }
    }
}

/// A stream is put back to one of its last messages.
struct StreamRewind: Disturbance {
    let name = "rewinds"

    func strike(_ run: FaultRun, _ random: inout SeededGenerator) async throws {
        guard let destination = run.destinations.randomElement(using: &random) else { return }
        let distance = Int.random(in: 0...(run.isSlow(destination) ? 40 : 2000), using: &random)
        let log = "FROM \(FaultyOutbox.schema).message WHERE destination = '\(destination)'"
        let id = try await run.outbox.number(
            "SELECT max(id) FROM (SELECT id \(log) ORDER BY id DESC OFFSET \(distance) LIMIT 1) AS one")
        if id == 0 { return }
        let ending = try await run.operate("stream rewind \(destination) --to-id \(id)")
        // The log may have been emptied meanwhile.
        if ending.status != 0 { return }
        run.tally.note(self.name, windows: 1)
        run.tally.expectAgain(try await run.outbox.number("SELECT count(*) \(log) AND id >= \(id)"))
    }
}

/// A destination that is down for a while.
struct Outage: Disturbance {
    let name = "outages"

    func strike(_ run: FaultRun, _ random: inout SeededGenerator) async throws {
        guard let destination = run.destinations.filter(run.isSlow).randomElement(using: &random) else { return }
        run.tally.note(self.name, windows: 0)
        let mark = run.folder + "/down-\(destination)"
        _ = FileManager.default.createFile(atPath: mark, contents: nil)
        defer {
            try? FileManager.default.removeItem(atPath: mark)
            run.noteStall()
        }
        try await self.pause(100...1000, &random)
    }
}

/// An operator's transaction that is left open, with a lock on a row that a relay's commit needs.
struct OpenTransaction: Disturbance {
    let name = "open transactions"

    func strike(_ run: FaultRun, _ random: inout SeededGenerator) async throws {
        guard let destination = run.destinations.randomElement(using: &random) else { return }
        // A relay that gives up waiting may begin again with what it has.
        run.tally.note(self.name, windows: 1)
        let table = random.chance(1, in: 2) ? "stream" : "deferred"
        guard let connection = try? await LibPQConnection.connect(LibPQConfiguration(run.outbox.url)) else { return }
        try? await connection.execute(
            script: "BEGIN; SELECT FROM \(FaultyOutbox.schema).\(table) WHERE destination = '\(destination)' FOR UPDATE"
        )
        try await self.pause(100...1500, &random)
        await connection.close()
    }
}
