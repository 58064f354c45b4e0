import Outbox
import OutboxPostgres
import Testing

@testable import OutboxCLI

@Suite(.timeLimit(.minutes(10))) struct ExitStatusTests {
    /// A code that is added has to be put into the table.
    @Test func everyCodeOfAnOutboxHasAStatus() {
        for code in OutboxError.Code.all { #expect(ExitStatus(code) != nil, "\(code)") }
        #expect(OutboxError.Code.all.count >= 9)
    }

    @Test func everyCodeOfTheClientHasAStatus() {
        for code in LibPQError.Code.all where code != .server {
            #expect(ExitStatus.byCode[code] != nil, "\(code)")
        }
    }

    /// What nothing is known of is a failure or, if trying again may help, a server that is not there; never a missing privilege.
    @Test func aStoresErrorWithoutACauseIsNotGuessedAt() {
        #expect(CommandFailure(RelayStoreError("x", isRetriable: false)).status == .failure)
        #expect(CommandFailure(RelayStoreError("x", isRetriable: true)).status == .unavailable)
    }
}
