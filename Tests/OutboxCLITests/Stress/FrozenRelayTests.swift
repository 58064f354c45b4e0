import Foundation
import OutboxPostgres
import TestSupport
import Testing

/// A relay that is stopped keeps its session, and with it its streams: the kernel answers for it.
@Suite(.timeLimit(.minutes(10))) struct FrozenRelayTests {
    @Test func whatAStoppedRelayHasIsTakenOverAndItCommitsNothingMore() async throws {
        let outbox = try await TestOutbox.migrated()
        let admin = try await LibPQConnection.connect(LibPQConfiguration(outbox.url))
        func count(_ text: String) async throws -> Int64 {
            try await admin.query(LibPQStatement(text, []))[0].decode(0, as: Int64.self)
        }
        let owned: String = """
            FROM pg_locks WHERE locktype = 'advisory' AND classid = '\(outbox.schema).message'::regclass::oid
                AND objid::bigint BETWEEN 1 AND 2147483647 AND granted
            """
        try await withTemporaryFolder { folder in
            func arguments(_ name: String) -> [String] {
                [
                    "relay", "--postgres", outbox.url, "--schema", outbox.schema, "--log-level", "critical",
                    "--no-fallback-poll",
                ]
                    + (1...4).flatMap { ["--route", "d\($0)=file:\(folder)/\(name)"] }
            }
            func delivered() -> [Substring] {
                ["a", "b"].flatMap { name in
                    ((try? String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)) ?? "").split(separator: "\n")
                }
            }
            var enqueued = 0
            func enqueue() async throws {
                for number in 1...4 {
                    let text: String = "SELECT \(outbox.schema).enqueue('d\(number)', '\(enqueued)')"
                    try await admin.query(LibPQStatement(text, []))
                    enqueued += 1
                }
            }
            try await RelayProcess.with(arguments("a")) { first in
                try await RelayProcess.with(arguments("b")) { second in
                    try await until("they share") {
                        let (all, relays) = (
                            try await count("SELECT count(*) \(owned)"),
                            try await count("SELECT count(DISTINCT pid) \(owned)")
                        )
                        return all == 4 && relays == 2
                    }
                    try await enqueue()
                    try await until("both deliver") { Set(delivered()).count == enqueued }
                    // What is delivered and not committed would come again.
                    try await until("both have committed") {
                        try await count("SELECT count(*) FROM \(outbox.schema).pending") == 0
                    }
                    second.freeze(true)
                    try await enqueue()
                    try await until("the other one has taken over") { Set(delivered()).count == enqueued }
                    // The session of the one that goes on may itself be replaced at the moment, on a busy machine.
                    try await until("no other session owns anything") {
                        let (all, relays) = (
                            try await count("SELECT count(*) \(owned)"),
                            try await count("SELECT count(DISTINCT pid) \(owned)")
                        )
                        return all == 4 && relays == 1
                    }
                    second.freeze(false)
                    try await until("they share again") { try await count("SELECT count(DISTINCT pid) \(owned)") == 2 }
                    try await enqueue()
                    try await until("both deliver again") { Set(delivered()).count == enqueued }
                    #expect(try await second.stop() == 0)
                }
                #expect(try await first.stop() == 0)
            }
            #expect(Set(delivered()).count == enqueued)
            // What the stopped one was being given of its two streams may come again: nothing takes that back.
            #expect(delivered().count - enqueued <= 2, "\(delivered().count) of \(enqueued)")
        }
    }

    /// What it had been about to deliver when it was stopped, another relay has delivered when it goes on.
    @Test func aRelayThatGoesOnOvertakesNothing() async throws {
        let outbox = try await TestOutbox.migrated()
        let admin = try await LibPQConnection.connect(LibPQConfiguration(outbox.url))
        let processes: String = """
            SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted
                AND classid = '\(outbox.schema).message'::regclass::oid
            """
        func relays() async throws -> Set<Int32> {
            Set(try await admin.query(LibPQStatement(processes, [])).map { try $0.decode(0, as: Int32.self) })
        }
        let count = 100_000
        let enqueue: String = """
            SELECT count(\(outbox.schema).enqueue('d', number::text, key => 'k')) FROM generate_series(1, \(count)) AS number
            """
        try await admin.query(LibPQStatement(enqueue, []))
        try await withTemporaryFolder { folder in
            func arguments(_ name: String) -> [String] {
                [
                    "relay", "--postgres", outbox.url, "--schema", outbox.schema, "--log-level", "critical",
                    "--route", "d=file:\(folder)/\(name)",
                ]
            }
            func delivered(_ name: String) -> [Substring] {
                ((try? String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)) ?? "").split(separator: "\n")
            }
            try await RelayProcess.with(arguments("a")) { first in
                try await until("it delivers") { delivered("a").count >= 1000 }
                first.freeze(true)
                let before = delivered("a").count
                #expect(before < count)
                let stopped = try await relays()
                try await RelayProcess.with(arguments("b")) { second in
                    try await until("the other one has taken over, and delivered the rest") {
                        Set(delivered("a") + delivered("b")).count == count
                    }
                    first.freeze(false)
                    try await until("it has another session") {
                        let now = try await relays()
                        return now.count == 2 && now.isDisjoint(with: stopped)
                    }
                    // The batch that it was writing.
                    let after = delivered("a").count
                    #expect(after <= before + 1000, "\(after) after \(before)")
                    #expect(try await second.stop() == 0)
                }
                #expect(try await first.stop() == 0)
            }
        }
    }
}
