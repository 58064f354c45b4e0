import Foundation
import Outbox
import OutboxTestServers
import TestSupport
import Testing

@testable import OutboxPostgres

/// What reads connection strings, names of sessions and the server's bytes, with inputs that are nearly right.
@Suite(.timeLimit(.minutes(StressSettings.minutes(atLeast: 5)))) struct FuzzingTests {
    /// A connection string that is taken says the same as a list of its parameters, and no text says what could be a password.
    @Test func connectionStrings() async {
        let secret = "s3cr3t"
        let fuzzer = Fuzzer(
            "connection strings",
            corpus: [
                "postgresql://me:\(secret)@host:5432/db?sslmode=require",
                "host=a user='b c' password='\(secret)' dbname=d",
                "postgres:///db?host=/tmp&port=5433", "", "postgresql://[::1],h2:1/?target_session_attrs=read-write",
                "postgresql://a%40b@/d%20b", "password=\(secret)\\'x host=h connect_timeout=3",
            ],
            tokens: [
                "%40", "%2F", "%00", "%", "'", "\\", "=", "@", ":", "/", "?", "&", ",", "[", "host=", "port=", " ",
                "options=-c",
            ])
        let ending = await fuzzer.run(text: { text in
            let configuration: LibPQConfiguration
            do throws(LibPQError) {
                configuration = try LibPQConfiguration(text)
            } catch {
                // What stands where a name of a parameter is expected is repeated, so that it can be found.
                let isName = error.description.contains("there is no connection parameter")
                return error.description.contains(secret) && !isName ? .wrong("says “\(error)”") : .refused
            }
            guard let resolved = try? configuration.resolved() else { return .wrong("has parameters that cannot be") }
            let list = resolved.map { name, value in
                // Scalar by scalar: a combining mark behind a quote does not make it another character to libpq.
                let quoted = value.unicodeScalars.map { $0 == "\\" || $0 == "'" ? "\\\($0)" : "\($0)" }
                return "\(name) = '\(quoted.joined())'"
            }.joined(separator: " ")
            guard let again = try? LibPQConfiguration(list), (try? again.resolved()) == resolved else {
                return .wrong("is not read as “\(list)”")
            }
            if let password = resolved["password"], password.contains(secret),
                !resolved.contains(where: { $0.key != "password" && $0.value.contains(secret) }),
                configuration.description.contains(secret)
            {
                return .wrong("describes itself as “\(configuration)”")
            }
            return .accepted
        })
        #expect(ending.isSound, "\(ending)")
    }

    /// A report that was read is read again as it was; any name is as long as a name can be.
    @Test func namesOfSessions() async {
        let fuzzer = Fuzzer(
            "names of sessions",
            corpus: [
                "outbox relay [120 7:0! 3:120]", "a [0]", "x [5 1:5 +]", "outbox relay", "[1]", "é [9 2147483647:9!]",
                "[[1]]",
            ],
            tokens: ["[", "]", " ", "!", ":", "+", " +]", "-1", "9223372036854775807", "é"], longest: 120)
        let ending = await fuzzer.run(text: { text in
            let (name, report) = ActivityReport.reading(text)
            guard let report else { return name == text ? .refused : .wrong("loses something of its name") }
            let written = report.text(named: name)
            guard written.utf8.count <= 63 || report.inFlight > 999_999_999 else {
                return .wrong("is written as “\(written)”")
            }
            let again = ActivityReport.reading(written)
            guard let back = again.report, back.inFlight == report.inFlight else {
                return .wrong("“\(written)” is no report")
            }
            guard !back.isComplete || back == report else { return .wrong("is read as another from “\(written)”") }
            guard back.streams.allSatisfy({ report.streams[$0.key] == $0.value }) else {
                return .wrong("says more than there was")
            }
            return .accepted
        })
        #expect(ending.isSound, "\(ending)")
    }

    /// Arrays of the server, cut and changed: what is read is as long as it says.
    @Test func arraysOfTheServer() async {
        let fuzzer = Fuzzer(
            "arrays of the server",
            corpus: [
                "\0\0\0\u{1}\0\0\0\0\0\0\0\u{14}\0\0\0\u{2}\0\0\0\u{1}\0\0\0\u{8}\0\0\0\0\0\0\0\u{5}\0\0\0\u{8}\0\0\0\0\0\0\0\u{6}",
                "\0\0\0\0\0\0\0\0\0\0\0\u{19}",
                "\0\0\0\u{1}\0\0\0\0\0\0\0\u{19}\0\0\0\u{1}\0\0\0\u{1}\0\0\0\u{1}a",
            ],
            tokens: ["\0\0\0\u{1}", "\0\0\0\u{8}", "\u{7f}\u{7f}\u{7f}\u{7f}", "\0\0\0\0"])
        let ending = await fuzzer.run { bytes in
            var isRead = false
            unsafe bytes.withUnsafeBytes { bytes in
                var numbers = unsafe BinaryReader(bytes)
                if numbers.array(as: Int64?.self) != nil { isRead = true }
                var texts = unsafe BinaryReader(bytes)
                if texts.array(as: String?.self) != nil { isRead = true }
                var times = unsafe BinaryReader(bytes)
                if times.array(as: Date.self) != nil { isRead = true }
            }
            return isRead ? .accepted : .refused
        }
        #expect(ending.isSound, "\(ending)")
    }

    /// Snapshots mean to a cursor what they mean to the server, and come back to it as they were.
    @Test func snapshots() async throws {
        let connection = try await LibPQConnection.connect(LibPQConfiguration(TestServer.shared.url))
        var random = SeededGenerator(seed: StressSettings.seed)
        let deadline = ContinuousClock.now + .milliseconds(StressSettings.milliseconds(otherwise: 300))
        var count = 0
        repeat {
            let texts = (0..<100).map { _ in Self.snapshot(&random) }
            let rows = try await connection.query(
                LibPQStatement(
                    """
                    SELECT s::pg_snapshot, pg_snapshot_xmax(s::pg_snapshot)::text::bigint, s::pg_snapshot::text
                    FROM unnest($1::text[]) WITH ORDINALITY AS snapshots (s, n) ORDER BY n
                    """, [.textArray(texts)]))
            for row in rows {
                let snapshot = row.bytes(0) ?? []
                #expect(try Cursor.maximum(of: snapshot) == UInt64(row.decode(1, as: Int64.self)))
            }
            let last = rows[texts.count - 1]
            let back = try await connection.query(
                LibPQStatement("SELECT $1::pg_snapshot::text", [.snapshot(last.bytes(0) ?? [])]))
            #expect(try back[0].decode(0, as: String.self) == last.decode(2, as: String.self))
            count += texts.count
        } while ContinuousClock.now < deadline
        await connection.close()
        print("fuzzer: snapshots: \(count) inputs, seed \(StressSettings.seed)")
    }

    private static func snapshot(_ random: inout SeededGenerator) -> String {
        let lowest = Int64.random(in: 3...(1 << Int64.random(in: 3...60, using: &random)), using: &random)
        var running: [Int64] = []
        var next = lowest
        for _ in 0..<Int.random(in: 0...20, using: &random) {
            running.append(next)
            next += Int64.random(in: 1...1000, using: &random)
        }
        return "\(lowest):\(next):\(running.map(String.init).joined(separator: ","))"
    }

    /// Headers come back from a jsonb of the server as they were.
    @Test func headers() async throws {
        let connection = try await LibPQConnection.connect(LibPQConfiguration(TestServer.shared.url))
        var random = SeededGenerator(seed: StressSettings.seed)
        let deadline = ContinuousClock.now + .milliseconds(StressSettings.milliseconds(otherwise: 300))
        let characters = [
            "a", "\"", "\\", "/", "\n", "\u{1}", "\u{1f}", "\u{7f}", "é", "e\u{301}", "😀", "\u{2028}", "{", "}", ",",
            ":", " ",
        ]
        var count = 0
        repeat {
            var headers: [String: String] = [:]
            for _ in 0..<Int.random(in: 0...8, using: &random) {
                func text() -> String {
                    (0..<Int.random(in: 0...6, using: &random)).map { _ in
                        characters.randomElement(using: &random) ?? ""
                    }.joined()
                }
                headers[text()] = text()
            }
            let json = String(decoding: try JSONEncoder().encode(headers), as: UTF8.self)
            let rows = try await connection.query(LibPQStatement("SELECT ($1::text)::jsonb::text", [.text(json)]))
            let back = try JSONDecoder().decode(
                [String: String].self, from: Data(rows[0].decode(0, as: String.self).utf8))
            #expect(back == headers, "\(json)")
            count += 1
        } while ContinuousClock.now < deadline
        await connection.close()
        print("fuzzer: headers: \(count) inputs, seed \(StressSettings.seed)")
    }
}
