import Foundation
import Logging
import Outbox
import OutboxTestServers
import TestSupport
import Testing

@testable import OutboxPostgres

/// A relay behind a real pooler.
@Suite(.schema, .timeLimit(.minutes(10))) struct PoolerTests {
    @Test func aPoolerThatGivesSessionsAwayIsRefused() async throws {
        try await self.withPooler(mode: "transaction") { bench, pooled in
            let relay = Relay(
                store: PostgresStore(postgres: pooled, schema: bench.schema), routes: ["d": .handler { _ in }],
                logger: .init(label: "outbox.test") { _ in SwiftLogNoOpLogHandler() })
            let error = await #expect(throws: RelayError.self) { try await relay.run() }
            #expect(error?.code == .pooler && error?.isRetriable == false && error?.message.contains("transaction mode") == true)
            // It has left nothing in the sessions of others.
            let connection = try await LibPQConnection.connect(pooled)
            for setting in ["synchronous_commit", "enable_seqscan"] {
                let value = try await connection.query("SELECT current_setting(\(setting))")[0].decode(
                    0, as: String.self)
                #expect(value == "on")
            }
            #expect(try await bench.ownerCount() == 0)
            // Producers may use it.
            let outbox = PostgresOutbox(schema: bench.schema)
            try await connection.withTransaction { transaction in
                _ = try await outbox.enqueue(NewMessage(to: "d", text: "x"), in: transaction)
            }
            await connection.close()
            #expect(try await bench.pendingCount() == 1)
        }
    }

    /// One process for all, and other clients that use it all the time.
    @Test func aBusyPoolOfOneIsRefused() async throws {
        try await self.withPooler(mode: "transaction", size: 1) { bench, pooled in
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<2 {
                    group.addTask {
                        guard let connection = try? await LibPQConnection.connect(pooled) else { return }
                        while !Task.isCancelled { _ = try? await connection.query("SELECT pg_sleep(0.2)") }
                        await connection.close()
                    }
                }
                let relay = bench.relay(
                    ["d": .handler { _ in }], store: PostgresStore(postgres: pooled, schema: bench.schema))
                let error = await #expect(throws: RelayError.self) { try await relay.run() }
                #expect(error?.code == .pooler)
                group.cancelAll()
            }
            let owners = try await bench.ownerCount()
            #expect(owners == 0)
        }
    }

    @Test(arguments: [1, 5]) func aPoolerInSessionModeIsNoObstacle(size: Int) async throws {
        try await self.withPooler(mode: "session", size: size) { bench, pooled in
            let deliveries = Deliveries()
            let store = PostgresStore(postgres: pooled, schema: bench.schema, wakeup: .notify(fallback: nil))
            try await bench.run(bench.relay(["d": .handler { deliveries.add($0) }], store: store)) {
                for round in 1...5 {
                    let sleeps = try await eventually("it sleeps") { try await bench.isAsleep() }
                    try #require(sleeps)
                    try await bench.sql("SELECT $outbox.enqueue('d', 'x')")
                    try await eventually("it is delivered") { deliveries.count == round }
                }
            }
            #expect(deliveries.count == 5)
        }
    }

    /// A doctor says of each what a relay would meet there: that its session is given away, and that it would hear nothing.
    @Test(arguments: ["transaction", "session"]) func aDoctorSeesThePooler(mode: String) async throws {
        try await self.withPooler(mode: mode) { bench, pooled in
            var limits = OutboxDoctor.Limits()
            if mode == "transaction" { limits.ring = .milliseconds(500) }
            let findings = try await OutboxDoctor(schema: bench.schema, limits: limits).examine(pooled)
            let expected: DoctorFinding.Severity = mode == "transaction" ? .error : .ok
            for check in ["pooler", "doorbell"] {
                #expect(findings.filter { $0.check == check }.map(\.severity) == [expected], "\(findings)")
            }
            #expect(findings.contains { $0.check == "pooler" && $0.seen.contains("a pooler in \(mode) mode") })
        }
    }

    /// PgBouncer before 1.21 gives away sessions in which statements are prepared, and does not tell. One process for all makes sure of it.
    @Test func unnamedStatementsGoThroughAnOldPooler() async throws {
        try await self.withPooler(mode: "transaction", size: 1) { bench, pooled in
            let outbox = PostgresOutbox(schema: bench.schema)
            func enqueue(_ count: Int, through configuration: LibPQConfiguration) async throws {
                let pool = LibPQConnectionPool(configuration, maximumConnections: 5, leaseTimeout: nil)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<count {
                        group.addTask {
                            try await pool.withTransaction { transaction in
                                _ = try await outbox.enqueue(NewMessage(to: "d", text: "x"), in: transaction)
                                _ = try await outbox.enqueue([NewMessage(to: "d", text: "x")], in: transaction)
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                await pool.close()
            }
            let version = try await self.poolerVersion()
            if version < (1, 21) {
                let error = await #expect(throws: (any Error).self) { try await enqueue(60, through: pooled) }
                #expect("\(error!)".contains("usesPreparedStatements"), "\(error!)")
            }
            var unnamed = pooled
            unnamed.usesPreparedStatements = false
            let before = try await bench.pendingCount()
            try await enqueue(60, through: unnamed)
            #expect(try await bench.pendingCount() == before + 120)
        }
    }

    /// A statement that takes long is not taken for a dead path: the pooler's numbers are not the server's.
    @Test(arguments: ["transaction", "session"]) func aServerAtWorkBehindAPoolerIsWaitedFor(mode: String) async throws {
        try await self.withPooler(mode: mode) { _, pooled in
            var impatient = pooled
            impatient.answerTimeout = .seconds(10)
            let connection = try await LibPQConnection.connect(impatient)
            let answer = try await connection.query("SELECT pg_sleep(12), 7")[0].decode(1, as: Int.self)
            #expect(answer == 7)
            await connection.close()
        }
    }

    private func poolerVersion() async throws -> (Int, Int) {
        let text = try await Program.run("/bin/sh", ["-c", "PATH=$PATH:/usr/sbin; pgbouncer --version"])
        let numbers = text.split { !$0.isNumber }.compactMap { Int($0) }
        return (try #require(numbers.first), try #require(numbers.dropFirst().first))
    }

    private func withPooler(
        mode: String, size: Int = 5, _ body: (RelayBench, LibPQConfiguration) async throws -> Void
    ) async throws {
        let bench = try await RelayBench.make()
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("outbox-pooler-\(UUID().uuidString)")
            .path
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        // The umask has its say where it is created.
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: folder)
        let place = try await bench.sql(
            "SELECT current_setting('unix_socket_directories'), current_setting('port'), current_user::text")[0]
        let (host, port) = (try place.decode(0, as: String.self), try place.decode(1, as: String.self))
        let user = try place.decode(2, as: String.self)
        try """
        [databases]
        * = host=\(host) port=\(port) user=\(user)
        [pgbouncer]
        listen_addr =
        listen_port = 6432
        unix_socket_dir = \(folder)
        auth_type = any
        pool_mode = \(mode)
        default_pool_size = \(size)
        """.write(toFile: folder + "/pgbouncer.ini", atomically: true, encoding: .utf8)
        let pooler = Process()
        pooler.executableURL = URL(fileURLWithPath: "/bin/sh")
        // It does not run as root, and has to be let into the server's folder.
        pooler.arguments = [
            "-c",
            #"PATH=$PATH:/usr/sbin; [ "$(id -u)" -ne 0 ] || set -- "$@" -u "$(stat -c %U "$host")"; pgbouncer -q "$@" & read -r _; kill -s KILL $!"#,
            "sh",
            folder + "/pgbouncer.ini",
        ]
        pooler.environment = ProcessInfo.processInfo.environment.merging(["host": host]) { _, new in new }
        // It ends when this process does, however that ends. Signals are blocked here, and so in what is started from here:
        // the pooler would not see another signal than KILL, nor the shell the end of a child that it waits for.
        let life = Pipe()
        pooler.standardInput = life
        pooler.standardOutput = FileHandle.nullDevice
        pooler.standardError = FileHandle.nullDevice
        let (ended, end) = AsyncStream.makeStream(of: Void.self)
        pooler.terminationHandler = { _ in end.finish() }
        try pooler.run()
        var pooled = try await LibPQConfiguration(TestServer.shared.url)
        pooled.parameters["host"] = folder
        pooled.parameters["port"] = "6432"
        let result: Result<Void, any Error>
        do {
            try await self.waitUntilThere(pooled)
            try await body(bench, pooled)
            result = .success(())
        } catch {
            result = .failure(error)
        }
        try life.fileHandleForWriting.close()
        // A child that is not waited for keeps the exit tests of the same process from ever ending.
        for await _ in ended {}
        try result.get()
    }

    private func waitUntilThere(_ pooled: LibPQConfiguration) async throws {
        let isThere = try await eventually("the pooler answers") {
            guard let connection = try? await LibPQConnection.connect(pooled) else { return false }
            await connection.close()
            return true
        }
        try #require(isThere)
    }
}
