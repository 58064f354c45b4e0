import Foundation
import OutboxPostgres
import OutboxTestServers
import TestSupport
import Testing

/// Everything that can go wrong between a relay and its server, at random, and everything that an operator does: commits that
/// the server refuses at their end, connections that end before, in and after a commit, numbers that begin again, pauses,
/// rewinds, outages, kills, crashes of the server.
///
/// Short in every run; as long as `OUTBOX_STRESS_SECONDS` says. `OUTBOX_STRESS_SEED` repeats the choices of a run.
@Suite(.timeLimit(.minutes(StressSettings.minutes(atLeast: 10)))) struct FaultRunTests {
    private let seconds = StressSettings.seconds(otherwise: 8)
    private let seed = StressSettings.seed

    private static let faults: [any Disturbance] =
        [
            RelayKill(), RelayKill(), RelayEnd(), SessionTermination(), ServerCrash(), AnswerCut(), AnswerCut(),
            Freeze(),
        ] + PostgresProxy.CommitCut.allCases.flatMap { [CommitCut(moment: $0), CommitCut(moment: $0)] }
        + ["40001", "P0001", "53100", "25006"].map(CommitRefusal.init)

    private static let actions: [any Disturbance] =
        [
            StreamPause(), StreamPause(), StreamRewind(), StreamRewind(), StreamRewind(), Outage(), OpenTransaction(),
            StreamDivision(), StreamDivision(), StreamDivision(), StreamDivision(),
        ] + NewNumbers.Variant.allCases.map(NewNumbers.init)

    @Test func nothingIsLostWhateverGoesWrong() async throws {
        let server = try await EphemeralPostgres.start(
            .init(
                parameters: ["max_connections": "100", "max_prepared_transactions": "20"], network: .loopback))
        let port = server.port
        try await TestOutbox(schema: FaultyOutbox.schema, url: server.url)("migrate", "up")
        let proxy = try PostgresProxy(to: port)
        defer { proxy.end() }
        try await withTemporaryFolder { folder in
            let outbox = FaultyOutbox(url: server.url, admin: Administrator(url: server.url))
            let arguments = Self.arguments(port: proxy.port, folder: folder)
            try await RelayProcess.with(arguments) { first in
                try await RelayProcess.with(arguments) { second in
                    let run = FaultRun(
                        outbox: outbox, server: server, proxy: proxy, relays: [first, second], folder: folder,
                        deliveries: folder + "/delivered", deadline: .now + .seconds(self.seconds))
                    try await outbox.admin.execute(script: FaultyOutbox.setUp + Writer.setUp(run.target))
                    try await self.disturb(run)
                }
            }
        }
        await server.stop()
    }

    private static func arguments(port: Int, folder: String) -> [String] {
        let deliveries = folder + "/delivered"
        let handler = FaultRun.handler(folder: folder, deliveries: deliveries)
        return [
            "relay", "--postgres",
            "postgresql://postgres@127.0.0.1:\(port)/postgres?sslmode=disable&gssencmode=disable",
            "--schema", FaultyOutbox.schema, "--window", "\(FaultRun.window)", "--page", "50", "--concurrency", "4",
            "--initial-delay", "20ms", "--max-delay", "200ms", "--max-attempts", "1000000", "--retention", "3s",
            "--segment-age", "1s", "--route", "a=file:\(deliveries)", "--route", "b=file:\(deliveries)",
            "--route", "c=exec:\(handler)", "--route", "d=exec:\(handler)", "--log-level", "critical",
        ]
    }

    private func disturb(_ run: FaultRun) async throws {
        try await run.disturb(Self.faults, Self.actions, seed: self.seed)
        try await run.settle()
        // However short the run was.
        var random = SeededGenerator(seed: self.seed)
        for variant in NewNumbers.Variant.allCases {
            try await NewNumbers(variant: variant).strike(run, &random)
            try await run.settle()
        }
        for relay in run.relays {
            // A standby that has just been started has not asked for the signal yet.
            let status = try await relay.stop()
            #expect(status == 0 || status == SIGTERM)
        }
        try await run.check(seed: self.seed)
    }
}
