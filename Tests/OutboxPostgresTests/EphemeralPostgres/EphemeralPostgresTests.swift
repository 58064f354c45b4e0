import Foundation
import OutboxTestServers
import TestSupport
import Testing

// One at a time: every test makes a server, and that is a second of work for a whole processor.
@Suite(.serialized, .timeLimit(.minutes(10))) struct EphemeralPostgresTests {
    @Test func startsAnEmptyServerAndRemovesEverythingAtTheEnd() async throws {
        let server = try await EphemeralPostgres.start()
        let process = try #require(server.processID)
        #expect(try await server.psql("SELECT current_user, current_setting('server_encoding')") == ["postgres|UTF8"])
        #expect(try await server.psql("SHOW listen_addresses") == [])
        #expect(server.tcpURL == nil)
        #expect(server.log().contains("ready to accept connections"))

        await server.stop()

        #expect(!FileManager.default.fileExists(atPath: server.folder))
        #expect(!ProcessState.isRunning(process))
        #expect(server.processID == nil)
        await server.stop()
        await #expect { try await server.restart() } throws: { ($0 as? EphemeralServerError)?.code == .stopped }
    }

    @Test func stopsWhenTheBodyThrows() async throws {
        struct BodyError: Error {}
        var folder = ""
        await #expect(throws: BodyError.self) {
            try await EphemeralPostgres.with { server in
                folder = server.folder
                throw BodyError()
            }
        }
        #expect(!folder.isEmpty && !FileManager.default.fileExists(atPath: folder))
    }

    @Test func stopsWhenNobodyHoldsItAnyMore() async throws {
        let folder = try await EphemeralPostgres.start().folder
        try await eventually("the folder is removed") { !FileManager.default.fileExists(atPath: folder) }
    }

    @Test func appliesParameters() async throws {
        let parameters = [
            "max_connections": "17", "max_prepared_transactions": "3", "cluster_name": #"it's a \ test"#, "fsync": "on",
        ]
        try await EphemeralPostgres.with(.init(parameters: parameters)) { server in
            for (name, value) in parameters {
                let shown = try await server.psql("SHOW \(name)")
                #expect(shown == [value])
            }
        }
    }

    @Test func listensOnLoopback() async throws {
        try await EphemeralPostgres.with(.init(network: .loopback)) { server in
            let url = try #require(server.tcpURL)
            #expect(try await server.psql("SELECT inet_server_addr()", url: url) == ["127.0.0.1"])
        }
    }

    @Test func asksForThePasswordOnLoopback() async throws {
        let password = "p@ss 'w%rd/ü"
        try await EphemeralPostgres.with(.init(network: .loopback(password: password))) { server in
            let url = try #require(server.tcpURL)
            #expect(try await server.psql("SELECT 1", url: url) == ["1"])
            #expect(try await server.psql("SELECT 1") == ["1"])
            let wrong = "postgresql://postgres:wrong@127.0.0.1:\(server.port)/postgres"
            await #expect(throws: Program.Failure.self) { try await server.psql("SELECT 1", url: wrong) }
            #expect(
                try await server.psql("SELECT left(rolpassword, 13) FROM pg_authid WHERE rolname = 'postgres'")
                    == ["SCRAM-SHA-256"])
        }
    }

    @Test(arguments: [EphemeralPostgres.ShutdownMode.fast, .immediate])
    func restartsOnTheSameData(mode: EphemeralPostgres.ShutdownMode) async throws {
        try await EphemeralPostgres.with(.init(network: .loopback)) { server in
            let before = server.processID
            _ = try await server.psql("CREATE TABLE kept AS SELECT 42 AS answer")
            try await server.restart(mode)
            #expect(server.processID != before)
            #expect(try await server.psql("SELECT answer FROM kept", url: server.tcpURL) == ["42"])
        }
    }

    @Test func crashesAndRecoversWhatWasCommitted() async throws {
        try await EphemeralPostgres.with { server in
            for round in 1...3 {
                _ = try await server.psql("CREATE TABLE round\(round) AS SELECT generate_series(1, 1000)")
                // A session that is busy in the server when it crashes, and so would not notice by itself.
                async let session = #expect(throws: Program.Failure.self) {
                    try await server.psql(
                        "BEGIN; CREATE TABLE lost (); SELECT count(*) FROM (SELECT generate_series(1, 1e12)) AS long")
                }
                try await eventually("the session is busy") {
                    try await server.psql(
                        "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'BEGIN%' AND state = 'active'") == ["1"]
                }

                try await server.kill()

                _ = await session
                #expect(server.processID == nil)
                await #expect(throws: Program.Failure.self) { try await server.psql("SELECT 1") }
                try await server.startAgain()
                #expect(try await server.psql("SELECT count(*) FROM round\(round)") == ["1000"])
                #expect(try await server.psql("SELECT to_regclass('lost') IS NULL") == ["t"])
            }
            await #expect { try await server.startAgain() } throws: {
                ($0 as? EphemeralServerError)?.code == .startFailed
            }
            #expect(try await server.psql("SELECT 1") == ["1"])
        }
    }

    @Test func canBeStoppedAfterACrash() async throws {
        let server = try await EphemeralPostgres.start()
        try await server.kill()
        await server.stop()
        #expect(!FileManager.default.fileExists(atPath: server.folder))
    }

    @Test func saysWhyItDoesNotStart() async throws {
        await #expect {
            _ = try await EphemeralPostgres.start(.init(parameters: ["max_connections": "many"]))
        } throws: { error in
            let error = error as? EphemeralServerError
            return error?.code == .startFailed && error?.detail.contains("max_connections") == true
        }
    }

    @Test(arguments: [
        EphemeralPostgres.Settings(parameters: ["port": "1"]),
        EphemeralPostgres.Settings(parameters: ["a b": "1"]),
        EphemeralPostgres.Settings(parameters: ["work_mem": "1\nfsync = on"]),
        EphemeralPostgres.Settings(network: .loopback(password: "")),
        EphemeralPostgres.Settings(startLimit: .zero),
    ])
    func refusesSettings(settings: EphemeralPostgres.Settings) async {
        await #expect { _ = try await EphemeralPostgres.start(settings) } throws: {
            ($0 as? EphemeralServerError)?.code == .invalidSettings
        }
    }
}
