import Foundation
import Testing

@testable import Outbox
@testable import OutboxCLI

/// What `/readyz` says of a relay.
@Suite(.timeLimit(.minutes(1))) struct ReadinessTests {
    private static let since = Date(timeIntervalSince1970: 1_700_000_000)

    private func readiness(
        _ phase: RelayState.Phase, down: [Destination: RelayState.Outage] = [:], isEnding: Bool = false
    ) -> Readiness {
        let state = RelayState(phase: phase, since: Self.since, down: down)
        return Readiness(RelayHealth(state: state, isEnding: isEnding, streamCount: 2))
    }

    @Test(
        arguments: [
            (.starting, false, "connecting"), (.delivering, true, "delivering"), (.standby, true, "standing by"),
            (.disconnected(reason: "no\nserver", since: since), false, "disconnected: no server"),
            (.ended, false, "ended"),
        ] as [(RelayState.Phase, Bool, String)])
    func aRelayIsReadyWhereItDeliversOrStandsBy(phase: RelayState.Phase, isReady: Bool, text: String) {
        #expect(self.readiness(phase).isReady == isReady)
        #expect(self.readiness(phase).text == text)
        #expect(!self.readiness(phase, isEnding: true).isReady)
    }

    /// Another relay would not reach it either.
    @Test func aDestinationThatIsDownLeavesItReadyAndIsNamed() throws {
        let down: [Destination: RelayState.Outage] = [
            "b": RelayState.Outage(reason: "refused", since: Self.since),
            "a\n\u{1B}[2J": RelayState.Outage(reason: "\"\\\r\n🐘", since: Self.since),
        ]
        let readiness = self.readiness(.delivering, down: down)
        #expect(readiness.isReady)
        let lines = readiness.text.split(separator: "\n")
        #expect(lines.count == 3 && lines[2] == "down: b since 2023-11-14T22:13:20.000000Z: refused")
        #expect(!readiness.text.contains("\u{1B}"))
        let json = try JSON(String(decoding: readiness.json, as: UTF8.self))
        #expect(json["ready"].bool == true && json["phase"].string == "delivering" && json["streams"].int == 2)
        #expect(json["since"].string == "2023-11-14T22:13:20.000000Z" && json["reason"].isNull)
        #expect(json["down"].array.map { $0["destination"].string } == ["a\n\u{1B}[2J", "b"])
        #expect(json["down"][0]["reason"].string == "\"\\\r\n🐘")
    }

    @Test func aProcessIsAliveUntilItsRelayHasEnded() {
        func isAlive(_ phase: RelayState.Phase, isEnding: Bool = false) -> Bool {
            RelayHealth(state: RelayState(phase: phase, since: Self.since), isEnding: isEnding, streamCount: 0).isAlive
        }
        // A database that is away is no reason to begin again.
        #expect(isAlive(.starting) && isAlive(.disconnected(reason: "x", since: Self.since)))
        #expect(!isAlive(.ended) && isAlive(.ended, isEnding: true))
    }
}
