import Foundation
import Synchronization
import TestSupport
import Testing

@testable import OutboxAWS

@Suite(.timeLimit(.minutes(5))) struct CredentialKeeperTests {
    private final class Source: Sendable {
        private let state = Mutex((count: 0, isFailing: false))
        let expiresIn: TimeInterval?

        init(expiresIn: TimeInterval? = nil) { self.expiresIn = expiresIn }

        var count: Int { self.state.withLock(\.count) }
        func fail(_ isFailing: Bool) { self.state.withLock { $0.isFailing = isFailing } }

        func fetch() throws -> AWSCredentials {
            let (count, isFailing) = self.state.withLock { state in
                state.count += 1
                return (state.count, state.isFailing)
            }
            if isFailing { throw CredentialError(.failed, "not now") }
            return AWSCredentials(
                accessKeyID: "A\(count)", secretAccessKey: "b",
                expiration: self.expiresIn.map { Date(timeIntervalSinceNow: $0) })
        }
    }

    private func keeping(_ source: Source, _ body: (CredentialKeeper, LogLines) async throws -> Void) async throws {
        let lines = LogLines()
        let keeper = CredentialKeeper(lines.logger) { try source.fetch() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await keeper.run() }
            defer { group.cancelAll() }
            await keeper.first()
            try await body(keeper, lines)
        }
    }

    @Test func credentialsThatDoNotExpireAreFetchedOnce() async throws {
        let source = Source()
        try await self.keeping(source) { keeper, _ in
            #expect(keeper.current?.accessKeyID == "A1")
            #expect(source.count == 1)
        }
    }

    @Test func theyAreFetchedAgainBeforeTheyExpire() async throws {
        let source = Source(expiresIn: 3)
        try await self.keeping(source) { keeper, _ in
            try await eventually("there are new ones while the old ones hold") { keeper.current?.accessKeyID == "A2" }
        }
    }

    @Test(arguments: [
        (3600.0, 3300.0), (600, 300), (400, 200), (10, 5), (1, 1), (1e9, 86_400), (0, 75), (-5, 75), (-1e9, 75),
    ])
    func whenTheyAreFetchedAgain(_ left: Double, _ pause: Double) {
        let now = Date(timeIntervalSince1970: 1_000_000)
        #expect(CredentialKeeper.pause(until: now.addingTimeInterval(left), now: now, draw: 0.5) == .seconds(pause))
    }

    @Test func aSourceThatDoesNotAnswerIsTheProblem() async throws {
        let lines = LogLines()
        let keeper = CredentialKeeper(lines.logger, patience: .milliseconds(1)) {
            try await Task.sleep(for: .seconds(3600))
            throw CancellationError()
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await keeper.run() }
            await keeper.first()
            #expect(keeper.problem?.contains("has not answered") == true)
            group.cancelAll()
        }
    }

    /// A machine whose clock is a day ahead would else never keep credentials.
    @Test func theyExpireByTheServicesTime() async throws {
        let source = Source(expiresIn: 86_400)
        let keeper = CredentialKeeper(LogLines().logger, now: { UTCTime(Date(timeIntervalSinceNow: 86_398)) }) {
            try source.fetch()
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await keeper.run() }
            defer { group.cancelAll() }
            try await eventually("they are fetched again") { source.count > 1 }
        }
    }

    @Test func thoseThatAreRefusedAreReplaced() async throws {
        let source = Source()
        try await self.keeping(source) { keeper, _ in
            for _ in 0..<1000 { keeper.refuse() }
            try await eventually("there are others") { keeper.current?.accessKeyID == "A2" }
            #expect(source.count == 2)
        }
    }

    @Test func whatFailsIsTriedAgainAndSaidOnce() async throws {
        let source = Source()
        source.fail(true)
        try await self.keeping(source) { keeper, lines in
            #expect(keeper.current == nil && keeper.problem == "no credentials: not now")
            try await eventually("it is tried again") { source.count > 1 }
            source.fail(false)
            try await eventually("there are some") { keeper.current != nil }
            #expect(keeper.problem == nil)
            #expect(lines.warnings.count == 1, "\(lines.warnings)")
        }
    }
}
