import OutboxPostgres
import OutboxTestServers
import TestSupport

/// SIGKILL of a relay, the one that delivers or the standby.
struct RelayKill: Disturbance {
    let name = "kills"

    func strike(_ run: FaultRun, _ random: inout SeededGenerator) async throws {
        run.tally.note(self.name, windows: 1)
        try await run.relays.randomElement(using: &random)?.kill()
    }
}

/// SIGTERM of a relay, as in a rolling update.
struct RelayEnd: Disturbance {
    let name = "ends"

    func strike(_ run: FaultRun, _ random: inout SeededGenerator) async throws {
        run.tally.note(self.name, windows: 1)
        run.relays.randomElement(using: &random)?.terminate()
    }
}

/// The server ends the relays' sessions.
struct SessionTermination: Disturbance {
    let name = "terminations"

    func strike(_ run: FaultRun, _ random: inout SeededGenerator) async throws {
        run.tally.note(self.name, windows: 1)
        try await run.outbox.admin.execute(
            script: """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'outbox relay%'
                """)
    }
}

/// All of the server's processes end at once; it is started again and recovers.
struct ServerCrash: Disturbance {
    let name = "crashes of the server"

    func strike(_ run: FaultRun, _ random: inout SeededGenerator) async throws {
        // What relays commit does not wait for the disk.
        run.tally.note(self.name, windows: 2)
        try await run.server.kill()
        try await self.pause(0...500, &random)
        try await run.server.startAgain()
        run.noteStall()
    }
}

/// A connection ends in a commit, at one of the moments.
struct CommitCut: Disturbance {
    let moment: PostgresProxy.CommitCut
    var name: String { "cuts \(self.moment) a commit" }

    func strike(_ run: FaultRun, _ random: inout SeededGenerator) async throws {
        run.proxy.cutNextCommit(self.moment)
        try await run.waitForCut(as: self.name)
    }
}

/// A connection ends somewhere in what the server sends.
struct AnswerCut: Disturbance {
    let name = "cuts in an answer"

    func strike(_ run: FaultRun, _ random: inout SeededGenerator) async throws {
        run.proxy.cutAnswers(after: Int.random(in: 1...60_000, using: &random))
        try await run.waitForCut(as: self.name)
    }
}

/// Nothing is passed on for a while; then it goes on, or ends.
struct Freeze: Disturbance {
    let name = "freezes"

    func strike(_ run: FaultRun, _ random: inout SeededGenerator) async throws {
        run.proxy.freeze()
        defer {
            run.proxy.thaw()
            run.noteStall()
        }
        // Whatever limit a relay has for an answer, a standby may take over.
        run.tally.note(self.name, windows: 1)
        try await self.pause(100...2000, &random)
        if random.chance(1, in: 2) { run.proxy.cutAll() }
    }
}

/// The server refuses commits of relays at their end, at random, with one error or another.
struct CommitRefusal: Disturbance {
    let code: String
    var name: String { "refusals with \(self.code)" }

    func strike(_ run: FaultRun, _ random: inout SeededGenerator) async throws {
        let chance: Double = [0.1, 0.5, 1].randomElement(using: &random) ?? 1
        let before = try await run.outbox.refusals()
        try await run.outbox.admin.execute(script: "INSERT INTO public.refusal VALUES ('\(self.code)', \(chance))")
        try await self.pause(100...1500, &random)
        try await run.outbox.admin.execute(script: "DELETE FROM public.refusal")
        // Each may have made a session begin again with what it had not committed.
        let refused = try await run.outbox.refusals() - before
        run.tally.note(self.name, windows: refused)
        run.tally.noteRefusals(refused)
    }
}
