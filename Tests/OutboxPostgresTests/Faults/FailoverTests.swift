import Foundation
import Outbox
import OutboxTestServers
import TestSupport
import Testing

@testable import OutboxPostgres

/// A primary and a streaming standby of it, in one connection string with `target_session_attrs=read-write`.
@Suite(.schema, .timeLimit(.minutes(5))) struct FailoverTests {
    private func hosts(_ hosts: [(host: String, port: Int)]) throws -> LibPQConfiguration {
        let names = hosts.map(\.host).joined(separator: ",")
        let ports = hosts.map { "\($0.port)" }.joined(separator: ",")
        return try LibPQConfiguration(
            """
            host=\(names) port=\(ports) user=postgres dbname=postgres sslmode=disable gssencmode=disable \
            connect_timeout=5 target_session_attrs=read-write
            """)
    }

    private func promote(_ server: EphemeralPostgres) async throws {
        #expect(try await server.psql("SELECT pg_promote()") == ["t"])
    }

    /// The primary dies under load. Its standby has all that producers were told is committed.
    @Test func aRelayGoesOnWithTheStandbyThatWasPromoted() async throws {
        let primary = try await EphemeralPostgres.start()
        let standby = try await EphemeralPostgres.start(.init(standbyOf: primary))
        // Not with a reload, of which it cannot be seen that all of the server's processes have taken notice.
        _ = try await primary.psql("ALTER SYSTEM SET synchronous_standby_names = '*'")
        try await primary.restart()
        let bench = try await RelayBench.make(
            postgres: self.hosts([(primary.folder, primary.port), (standby.folder, standby.port)]))
        let deliveries = Deliveries()
        var settings = RelayBench.quick
        settings.page.messages = 50
        settings.window.messages = 200
        let relay = bench.relay(["d": .handler { deliveries.add($0) }], settings: settings)
        let producer = NumberedProducer(bench)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await producer.run() }
            try await bench.run(relay) {
                try await eventually("it delivers") { deliveries.count >= 200 }
                try await primary.kill()
                try await self.promote(standby)
                let before = producer.count
                try await eventually("producers and the relay go on") {
                    producer.count >= before + 200 && deliveries.texts.contains("\(before + 200)")
                }
                producer.stop()
                try await group.waitForAll()
                try await eventually("everything is delivered") { deliveries.hasAll(upTo: producer.count) }
                try await eventually("and stored") { try await bench.again().pendingCount() == 0 }
            }
        }
        #expect(try await bench.again().count("SELECT count(*) FROM $outbox.message") == producer.count)
        #expect(deliveries.repeats <= 250, "a window and a page")
        await standby.stop()
        await primary.stop()
    }

    /// The roles are exchanged, and the proxy before the old primary logs in again for the relay, which learns nothing of that: its
    /// session is that of a standby from then on, with no locks and no statements prepared.
    @Test(arguments: [true, false]) func aSessionThatHasBecomeOneOfAStandbyIsGivenUp(isPreparing: Bool) async throws {
        let first = try await EphemeralPostgres.start()
        let second = try await EphemeralPostgres.start(.init(standbyOf: first))
        let proxy = try ReplacingProxy(to: "\(first.folder)/.s.PGSQL.\(first.port)")
        defer { proxy.end() }
        var postgres = try self.hosts([("127.0.0.1", proxy.port), (second.folder, second.port)])
        postgres.usesPreparedStatements = isPreparing
        let direct = try await RelayBench.make(postgres: LibPQConfiguration(first.url))
        let bench = RelayBench(postgres: postgres, schema: direct.schema, admin: direct.admin)
        let deliveries = Deliveries()
        let gate = Gate()
        let relay = bench.relay([
            "d": .handler(parking: .never) { message in
                await gate.enter()
                deliveries.add(message)
            }
        ])
        let events = relay.events(bufferingNewest: 100_000)
        try await bench.run(relay) {
            try await bench.script(
                "BEGIN; SELECT $outbox.enqueue('d', '1', key => 'k'); SELECT $outbox.enqueue('d', '2', key => 'k'); COMMIT"
            )
            await gate.waitUntilEntered()
            try await eventually("it sleeps beside its handler") { try await bench.isAsleep() }
            try await bench.script(
                "ALTER SYSTEM SET primary_conninfo = 'host=\(second.folder) port=\(second.port) user=postgres'")
            #expect(FileManager.default.createFile(atPath: first.folder + "/data/standby.signal", contents: Data()))
            proxy.replaceServers()
            try await first.restart()
            try await eventually("the relay's connection is one to a standby") { proxy.replacements == 1 }
            await gate.open()
            for await event in events {
                if case .disconnected(let reason, _) = event {
                    #expect(reason.contains(isPreparing ? "26000" : "25006"), "\(reason)")
                    break
                }
            }
            try await self.promote(second)
            let new = try await bench.again()
            try await new.sql("SELECT $outbox.enqueue('d', '3', key => 'k')")
            try await eventually("everything is delivered") { deliveries.hasAll(upTo: 3) }
            try await eventually("and stored") { try await new.pendingCount() == 0 }
        }
        // What was delivered and could not be committed came again, and nothing else.
        #expect(deliveries.repeats <= 2 && deliveries.texts.last == "3", "\(deliveries.texts)")
        await second.stop()
        await first.stop()
    }
}
