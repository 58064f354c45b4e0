import Foundation
import Testing

/// Each benchmark with a few hundred messages. They check themselves that everything was delivered, and exactly once; how
/// long it took says nothing here.
@Suite(.timeLimit(.minutes(10))) struct BenchTests {
    @Test(arguments: [
        ("drain --messages 500", 1),
        ("commits --clients 1,4 --messages 200 --seconds 60", 6),
        ("insert --messages 200", 9),
        ("enqueue --messages 300", 1),
        ("latency --messages 5 --pause 1ms", 2),
        ("pinned --before 300 --messages 200 --singles 3", 2),
        ("memory --messages 600 --few 100", 1),
        ("memory --messages 3000 --few 100 --late", 1),
        ("growth --backlogs 100,200 --sizes 100,20480 --volume 200000", 4),
        ("designs --messages 300 --commits 200 --clients 4", 6),
        ("writes --messages 300", 2),
        ("scale --sizes 2,5", 17),
    ])
    func measures(command: String, comparisons: Int) async throws {
        let outbox = try await TestOutbox.named()
        let arguments = command.split(separator: " ").map(String.init)
        let ending = try await Program.outbox(
            ["bench"] + arguments + ["--runs", "2", "--json", "-", "--postgres", outbox.url])
        let json = try ending.json()["comparisons"].array
        #expect(json.count == comparisons)
        for comparison in json {
            #expect(comparison["values"].array.count == 2 && comparison["reference_values"].array.count == 2)
            #expect(!comparison["median"].isNull && !comparison["reference_median"].isNull)
        }
    }

    /// What delivery leaves for vacuum is exact: a status column a row a message, a lease two, a cursor a few for all.
    @Test func countsTheRowsThatDesignsLeave() async throws {
        let outbox = try await TestOutbox.named()
        let ending = try await Program.outbox(
            "bench", "designs", "--messages", "700", "--commits", "50", "--clients", "2", "--runs", "1", "--json", "-",
            "--postgres", outbox.url)
        let rows = try ending.json()["comparisons"].array.filter { $0["unit"].string == "rows" }
        #expect(rows.map { $0["reference_median"].int } == [700, 1400])
        #expect(rows.allSatisfy { ($0["median"].int ?? .max) < 50 })
    }

    @Test func writesFiles() async throws {
        let outbox = try await TestOutbox.named()
        try await withTemporaryFolder { folder in
            let ending = try await Program.outbox(
                "bench", "enqueue", "--messages", "50", "--runs", "1", "--postgres", outbox.url, "--json",
                "\(folder)/a.json", "--svg", "\(folder)/a.svg")
            #expect(ending.output.contains("COPY in C"))
            #expect(ending.error.contains("round 1 of 1"))
            let json = try JSON(String(contentsOfFile: "\(folder)/a.json", encoding: .utf8))
            #expect(json["machine"]["cores"].int != nil)
            #expect(try String(contentsOfFile: "\(folder)/a.svg", encoding: .utf8).hasPrefix("<svg"))
        }
        try await Program.outbox(
            "bench", "enqueue", "--messages", "50", "--runs", "1", "--postgres", outbox.url, "--json",
            "/nowhere/a.json",
            status: 73)
    }

    @Test func leavesNothingBehind() async throws {
        let outbox = try await TestOutbox.named()
        // Of its own, so that other benchmarks' schemas are not in the way.
        let database = "bench_\(UInt32.random(in: 0 ... .max))"
        try await outbox.sql("CREATE DATABASE \(database)")
        try await Program.outbox(
            "bench", "enqueue", "--messages", "50", "--runs", "1", "--postgres", outbox.url + "&dbname=\(database)")
        let own = TestOutbox(schema: outbox.schema, url: outbox.url + "&dbname=\(database)")
        #expect(try await own.sql("SELECT count(*)::text FROM pg_namespace WHERE nspname LIKE 'outbox%'") == ["0"])
    }

    @Test func soaks() async throws {
        let outbox = try await TestOutbox.named()
        let ending = try await Program.outbox(
            "bench", "soak", "--duration", "1s", "--rate", "200", "--clients", "2", "--every", "200ms", "--json", "-",
            "--postgres", outbox.url)
        let samples = try ending.lines.map { try JSON($0) }
        let last = try #require(samples.last)
        #expect(last["delivered"].int == last["enqueued"].int)
        #expect((1...201).contains(last["delivered"].int ?? 0), "no more than the rate allows")
        let names = last["tables"].array.compactMap { $0["name"].string }
        #expect(names == ["dead_letter", "deferred", "idempotency", "message", "numbering", "segment", "stream"])
    }

    @Test(arguments: [
        "drain --messages 0", "drain --page 0", "commits --clients 0", "commits --clients 1,x", "enqueue --size 7",
        "drain --runs 0", "soak --rate 0", "soak --every 1ms", "growth --volume 0",
    ])
    func refusesNumbersThatMakeNoSense(command: String) async throws {
        let ending = try await Program.outbox(["bench"] + command.split(separator: " ").map(String.init), status: 64)
        #expect(ending.error.contains("Error:"))
    }

    @Test func saysWhatWentWrong() async throws {
        let ending = try await Program.outbox(
            "bench", "drain", "--postgres", "postgresql:///x?host=/nowhere", status: 69)
        #expect(ending.error.contains("outbox:"))
    }
}
