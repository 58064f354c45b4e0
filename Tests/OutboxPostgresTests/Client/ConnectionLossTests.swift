import Testing

@testable import OutboxPostgres

/// Whatever a connection is doing when its server process ends, it says so.
@Suite(.timeLimit(.minutes(5))) struct ConnectionLossTests {
    @Test func duringAStatement() async throws {
        let (victim, killer) = (try await connect(), try await connect())
        let task = Task { try await victim.query("SELECT pg_sleep(600)") }
        try await killer.waitUntilRunning(victim.processID, "pg_sleep")
        let queued = Task { try await victim.query("SELECT 1") }
        try await killer.terminate(victim)
        let error = await postgresError { try await task.value }
        #expect(error?.code == .connectionLost)
        #expect(error?.sqlState == "57P01")
        #expect(error?.isRetriable == true)
        #expect(await postgresError { try await queued.value }?.code == .connectionLost)
        #expect(await postgresError { try await victim.query("SELECT 1") }?.code == .connectionLost)
    }

    @Test func duringAScript() async throws {
        let (victim, killer) = (try await connect(), try await connect())
        let task = Task { try await victim.execute(script: "SELECT 1; SELECT pg_sleep(600); SELECT 2") }
        try await killer.waitUntilRunning(victim.processID, "pg_sleep")
        try await killer.terminate(victim)
        #expect(await postgresError { try await task.value }?.code == .connectionLost)
    }

    @Test func duringAPipeline() async throws {
        let (victim, killer) = (try await connect(), try await connect())
        let task = Task {
            try await victim.pipeline([
                "SELECT 1", LibPQStatement("SELECT pg_sleep(600)", name: "sleep"),
                LibPQStatement("SELECT 2", name: "two"),
            ])
        }
        try await killer.waitUntilRunning(victim.processID, "pg_sleep")
        try await killer.terminate(victim)
        let error = await postgresError { try await task.value }
        #expect(error?.code == .connectionLost)
        #expect(error?.sqlState == "57P01")
    }

    @Test func byItself() async throws {
        let victim = try await connect()
        let error = await postgresError { try await victim.query("SELECT pg_terminate_backend(\(victim.processID))") }
        #expect(error?.code == .connectionLost)
    }

    @Test func duringALargeResult() async throws {
        let (victim, killer) = (try await connect(), try await connect())
        let task = Task {
            try await victim.query("SELECT repeat('x', 1000), pg_sleep(0.0005) FROM generate_series(1, 10000000)")
        }
        try await killer.waitUntilRunning(victim.processID, "repeat")
        try await killer.terminate(victim)
        #expect(await postgresError { try await task.value }?.code == .connectionLost)
    }

    /// What a large answer is read in parts for holds up no other connection, however it ends.
    @Test func duringLargeAnswersBesideSmallOnes() async throws {
        let (killer, small) = (try await connect(), try await connect())
        let pings = Task { () async throws in
            var count = 0
            while !Task.isCancelled {
                count += 1
                let answer: Int = try await small.value("SELECT \(count)")
                #expect(answer == count)
            }
        }
        for round in 0..<24 {
            let victim = try await connect()
            let task = Task {
                let rows = try await victim.query("SELECT repeat('x', 1000) FROM generate_series(1, 20000)")
                return rows.count
            }
            for _ in 0..<Int.random(in: 0..<400) { await Task.yield() }
            switch round % 3 {
            case 0: #expect(try await task.value == 20_000)
            case 1:
                task.cancel()
                let error = await postgresError { _ = try await task.value }
                #expect(error == nil || error?.code == .cancelled)
                #expect(try await victim.value("SELECT 3") == 3)
            default:
                try await killer.terminate(victim)
                let error = await postgresError { _ = try await task.value }
                #expect(error == nil || error?.code == .connectionLost)
            }
            await victim.close()
        }
        pings.cancel()
        let error = await postgresError { try await pings.value }
        #expect(error == nil || error?.code == .cancelled)
    }

    @Test func duringALargePipelineToTheServer() async throws {
        let (victim, killer) = (try await connect(), try await connect())
        let bytes = LibPQValue.bytes([UInt8](repeating: 1, count: 1 << 20))
        let task = Task {
            try await victim.pipeline(
                ["SELECT pg_sleep(600)"] + (0..<16).map { _ in LibPQStatement("SELECT length($1::bytea)", [bytes]) })
        }
        try await killer.waitUntilRunning(victim.processID, "pg_sleep")
        try await killer.terminate(victim)
        #expect(await postgresError { try await task.value }?.code == .connectionLost)
    }

    @Test func whileIdle() async throws {
        let (victim, killer) = (try await connect(), try await connect())
        try await killer.terminate(victim)
        #expect(await postgresError { try await victim.query("SELECT 1") }?.code == .connectionLost)
    }

    @Test func whileIdleIsNoticedBeforeUse() async throws {
        let (victim, killer) = (try await connect(), try await connect())
        try await killer.terminate(victim)
        while await victim.isUsable { await Task.yield() }
        let error = await postgresError { try await victim.query("SELECT 1") }
        #expect(error?.code == .connectionLost)
        #expect(error?.sqlState == "57P01")
    }

    @Test func whileWaiting() async throws {
        let (victim, killer) = (try await connect(), try await connect())
        let wait = Task { try await victim.waitForActivity(until: nil) }
        try await killer.terminate(victim)
        let error = await postgresError { try await wait.value }
        #expect(error?.code == .connectionLost)
        #expect(error?.sqlState == "57P01")
        #expect(error?.description.contains("administrator") == true)
    }

    @Test func whileBeingCancelled() async throws {
        let (victim, killer) = (try await connect(), try await connect())
        let task = Task { try await victim.query("SELECT pg_sleep(600)") }
        try await killer.waitUntilRunning(victim.processID, "pg_sleep")
        task.cancel()
        try await killer.terminate(victim)
        let code = await postgresError { try await task.value }?.code
        #expect(code == .connectionLost || code == .cancelled)
    }

    @Test func atAnyMoment() async throws {
        let killer = try await connect()
        for _ in 0..<40 {
            let victim = try await connect()
            let task = Task {
                while true {
                    _ = try await victim.pipeline([
                        "SELECT 1", LibPQStatement("SELECT 2", name: "two"), "LISTEN a", "NOTIFY a",
                    ])
                    _ = try await victim.waitForActivity(until: nil)
                    try await victim.withTransaction { try await $0.query("SELECT 3") }
                }
            }
            for _ in 0..<Int.random(in: 0..<30) { await Task.yield() }
            try await killer.terminate(victim)
            let error = await thrown { try await task.value }
            let losses = [
                error as? LibPQError, (error as? LibPQTransactionError)?.beginError,
                (error as? LibPQTransactionError)?.commitError,
                (error as? LibPQTransactionError)?.rollbackError,
            ]
            #expect(losses.contains { $0?.code == .connectionLost })
        }
    }

    /// In a process of its own, because other tests open descriptors too.
    @Test func nothingLeaks() async throws {
        await #expect(processExitsWith: .success) {
            let killer = try await connect()
            _ = SocketLoop.shared
            let before = try openDescriptors()
            for round in 0..<50 {
                let connection = try await connect()
                let task = Task { try await connection.query("SELECT pg_sleep(600)") }
                switch round % 4 {
                case 0: task.cancel()
                case 1: await connection.close()
                default: try await killer.terminate(connection)
                }
                _ = await postgresError { try await task.value }
                var configuration = try await testPostgres()
                configuration.parameters = ["dbname": "no_such_database"]
                _ = await postgresError { try await LibPQConnection.connect(configuration) }
                configuration.parameters = [:]
                let attempt = Task { [configuration] in try await LibPQConnection.connect(configuration) }
                attempt.cancel()
                _ = await postgresError { try await attempt.value }
            }
            // Threads that were abandoned close what they have opened on their own.
            while try openDescriptors() > before { await Task.yield() }
        }
    }
}
