import Foundation
import OutboxPostgres
import TestSupport
import Testing

/// A server that is there and says nothing any more.
@Suite(.timeLimit(.minutes(5))) struct SilentServerTests {
    static let commands: [[String]] = [
        ["migrate", "up"], ["migrate", "status"], ["enqueue", "d", "p"], ["enqueue", "--from", "-"], ["status"],
        ["status", "--watch"], ["doctor"], ["janitor"], ["stream", "list"], ["stream", "pause", "d"],
        ["dead-letter", "list"], ["dead-letter", "replay", "--all"], ["relay", "--route", "d=discard"],
    ]

    private func withProxy<R>(_ body: (TestOutbox, FreezingProxy, String) async throws -> R) async throws -> R {
        let outbox = try await TestOutbox.migrated()
        let place = try await outbox.sql(
            "SELECT current_setting('unix_socket_directories') || '/.s.PGSQL.' || current_setting('port')")
        let user = try await outbox.sql("SELECT current_user::text")[0]
        let database = try await outbox.sql("SELECT current_database()::text")[0]
        let proxy = try FreezingProxy(to: place[0])
        defer { proxy.end() }
        let url = """
            host=127.0.0.1 port=\(proxy.port) user=\(user) dbname=\(database) sslmode=disable gssencmode=disable connect_timeout=2
            """
        return try await body(outbox, proxy, url)
    }

    /// Wherever it falls silent: it ends with a line, well before the test's limit.
    @Test(arguments: commands) func everyCommandEnds(arguments: [String]) async throws {
        try await withProxy { outbox, proxy, url in
            // The login is some hundred bytes in either direction; the shortest command sends and is told a hundred more at least.
            for limits in [
                FreezingProxy.Limits(toServer: Int.random(in: 0..<300)), .init(toClient: Int.random(in: 0..<480)),
            ] {
                proxy.limitNew(limits)
                let ending = try await Program.outbox(
                    arguments + ["--postgres", url, "--schema", outbox.schema, "--answer-timeout", "900ms"],
                    input: arguments.contains("--from") ? "{\"destination\":\"d\",\"payload\":\"p\"}\n" : "",
                    status: 69)
                #expect(ending.error.hasPrefix("outbox: "), "\(limits): \(ending.error)")
                #expect(ending.error.split(separator: "\n").count == 1, "\(limits): \(ending.error)")
            }
        }
    }

    /// A statement that waits for a lock says so, and goes on when it has it.
    @Test func whatWaitsForALockSaysSo() async throws {
        let outbox = try await TestOutbox.migrated()
        let holder = try await LibPQConnection.connect(LibPQConfiguration(outbox.url))
        // Within a transaction, the list of sessions is always that of the first look.
        let observer = try await LibPQConnection.connect(LibPQConfiguration(outbox.url))
        try await holder.query("BEGIN")
        try await holder.execute(script: "LOCK TABLE \(outbox.schema).message IN ACCESS EXCLUSIVE MODE")
        let ending = try await withThrowingTaskGroup(of: Program.Ending?.self) { group in
            group.addTask { try await outbox("enqueue", "d", "p", "--answer-timeout", "12s") }
            group.addTask {
                try await eventually("it has waited for longer than its limit") {
                    let waited: Bool = try await observer.query(
                        """
                        SELECT EXISTS (SELECT FROM pg_stat_activity WHERE \(holder.processID) = ANY (pg_blocking_pids(pid))
                            AND clock_timestamp() - query_start > interval '13 s')
                        """)[0].decode(0)
                    return waited
                }
                try await holder.query("ROLLBACK")
                return nil
            }
            return try await group.reduce(nil) { $0 ?? $1 }
        }
        #expect(ending?.error.contains("waits for a lock") == true, "\(ending?.error ?? "")")
        #expect(ending?.error.contains("\(holder.processID)") == true)
        #expect(try await outbox.count("message") == 1)
        await holder.close()
        await observer.close()
    }

    /// A signal ends what would wait for ever.
    @Test(arguments: commands) func aSignalEndsItAtOnce(arguments: [String]) async throws {
        try await withProxy { outbox, proxy, url in
            try await withTemporaryFolder { folder in
                let fifo = folder + "/go"
                try #require(unsafe mkfifo(fifo, 0o600) == 0)
                // After the login.
                proxy.limitNew(.init(toServer: 250))
                async let ending = Program.shell(
                    """
                    set -- \(arguments.map { "'\($0)'" }.joined(separator: " "))
                    printf '{"destination":"d","payload":"p"}\\n' >"$fifo.input"
                    "$outbox" "$@" --postgres "$url" --schema "$schema" --answer-timeout 0 <"$fifo.input" & pid=$!
                    read -r _ <"$fifo"; kill -s TERM $pid; wait $pid; echo "ended"
                    """, ["url": url, "schema": outbox.schema, "fifo": fifo])
                try await eventually("it waits") { proxy.hasFrozen }
                try await offThePool {
                    let go = try #require(FileHandle(forWritingAtPath: fifo))
                    try go.write(contentsOf: Data("go\n".utf8))
                    try go.close()
                }
                #expect(try await ending.output.hasSuffix("ended\n"))
            }
        }
    }
}
