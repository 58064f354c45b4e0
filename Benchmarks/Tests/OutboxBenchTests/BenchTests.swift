import Foundation
import Testing

@testable import OutboxBench

/// Each benchmark with a few hundred messages. They check themselves that everything was delivered, and exactly once; how
/// long it took says nothing here.
@Suite(.timeLimit(.minutes(5))) struct BenchTests {
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
        ("scale --sizes 2,5", 19),
        ("fleet --messages 200 --backlog 300 --singles 3 --relays 1,2 --streams 1,4 --destinations 1,3 --seconds 1", 9),
    ])
    func measures(command: String, comparisons: Int) async throws {
        let ending = try await Program.bench(
            command, "--runs", "2", "--json", "-", "--postgres", try await TestServer.url)
        let found = try ending.document().comparisons
        #expect(found.count == comparisons)
        for comparison in found {
            #expect(comparison.values.count == 2 && comparison.referenceValues.count == 2)
            #expect(comparison.median != nil && comparison.referenceMedian != nil)
        }
    }

    /// What delivery leaves for vacuum is exact: a status column a row a message, a lease two, a cursor a few for all.
    @Test func countsTheRowsThatDesignsLeave() async throws {
        let ending = try await Program.bench(
            "designs --messages 700 --commits 50 --clients 2 --runs 1 --json - --postgres", try await TestServer.url)
        let rows = try ending.document().comparisons.filter { $0.unit == "rows" }
        #expect(rows.map(\.referenceMedian) == [700, 1400])
        #expect(rows.allSatisfy { ($0.median ?? .infinity) < 50 })
    }

    @Test func writesATableAndAFile() async throws {
        let url = try await TestServer.url
        try await withTemporaryFolder { folder in
            let ending = try await Program.bench(
                "enqueue --messages 50 --runs 1 --postgres", url, "--json", "\(folder)/a.json")
            #expect(ending.output.contains("COPY in C"))
            #expect(ending.error.contains("round 1 of 1"))
            let document = try Document(parsing: String(contentsOfFile: "\(folder)/a.json", encoding: .utf8))
            #expect(document.machine.cores > 0)
        }
        let ending = try await Program.bench(
            "enqueue --messages 50 --runs 1 --json /nowhere/a.json --postgres", url, status: 1)
        #expect(ending.error.contains("/nowhere/a.json"))
    }

    @Test func leavesNothingBehind() async throws {
        // Of its own, so that other benchmarks' schemas are not in the way.
        let database = "bench_\(UInt32.random(in: 0 ... .max))"
        try await TestServer.sql("CREATE DATABASE \(database)")
        try await Program.bench("enqueue --messages 50 --runs 1 --postgres", try await TestServer.url(of: database))
        let left = try await TestServer.sql(
            "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'outbox%'", database: database)
        #expect(left.isEmpty)
    }

    @Test func soaks() async throws {
        let ending = try await Program.bench(
            "soak --duration 1s --rate 200 --clients 2 --every 200ms --json - --postgres", try await TestServer.url)
        let lines = ending.output.split(separator: "\n")
        let machine = try [String: Document.Machine](parsing: #require(lines.first))
        #expect(machine["machine"]?.fsync == false)
        let last = try SoakLine(parsing: #require(lines.last))
        #expect(last.delivered == last.enqueued)
        #expect((1...201).contains(last.delivered), "no more than the rate allows")
        let names = ["dead_letter", "deferred", "idempotency", "message", "numbering", "segment", "stream"]
        #expect(last.tables.map(\.name) == names)
    }

    /// From Postgres and from memory, to brokers of the benchmark's own.
    @Test func sendsToKafka() async throws {
        let ending = try await Program.bench(
            "kafka --messages 300 --singles 3 --runs 1 --json - --postgres", try await TestServer.url)
        #expect(try ending.document().comparisons.count == 4)
    }

    /// Beside a program in C that does the same work, by messages and by processor time, and, but for Pub/Sub, beside one that only sends.
    @Test(arguments: [("sqs", 6), ("kinesis", 6), ("webhook", 6), ("pubsub", 5), ("pubsub --ordered", 5)])
    func sendsByHTTP(command: String, comparisons: Int) async throws {
        let ending = try await Program.bench(
            "\(command) --messages 300 --singles 3 --runs 1 --connections 4 --json - --postgres",
            try await TestServer.url)
        #expect(try ending.document().comparisons.count == comparisons)
    }

    @Test(arguments: [("250ms", 0.25), ("2s", 2), ("1.5h", 5400), ("3", 3), ("1min", 60)])
    func readsIntervals(text: String, seconds: Double) {
        #expect(Interval(argument: text)?.duration.inSeconds == seconds)
    }

    @Test(arguments: ["", "s", "1x", "-1s", "9999999999h"])
    func refusesWhatIsNoInterval(text: String) {
        #expect(Interval(argument: text) == nil)
    }

    @Test(arguments: [
        "drain --messages 0", "drain --page 0", "commits --clients 0", "commits --clients 1,x", "enqueue --size 7",
        "drain --runs 0", "soak --rate 0", "soak --every 1ms", "growth --volume 0",
    ])
    func refusesNumbersThatMakeNoSense(command: String) async throws {
        let ending = try await Program.bench(command, status: 64)
        #expect(ending.error.contains("Error:"))
    }

    @Test func saysWhatWentWrong() async throws {
        let ending = try await Program.bench("drain --postgres postgresql:///x?host=/nowhere", status: 1)
        #expect(ending.error.contains("Error:") && ending.error.contains("/nowhere"))
    }
}
