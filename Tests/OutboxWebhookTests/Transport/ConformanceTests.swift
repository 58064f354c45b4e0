import Foundation
import Outbox
import OutboxTesting
import OutboxWebhook
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct WebhookConformanceTests {
    private final class Fixture: TransportFixture {
        private static let largest = 1_000_000

        private let receiver: HTTPServer

        init() throws {
            self.receiver = try HTTPServer { request in
                request.headers["refuse"] == nil ? .accepted : .status(422)
            }
        }

        func makeTransport() throws -> any Transport {
            try TransportUnderTest.make("\(self.receiver.url)/hook?key={key|}") { configuration in
                configuration.request.messageHeaders = ["*"]
                configuration.request.maximumMessageSize = Self.largest
            }
        }

        func received() -> [ReceivedMessage] {
            self.receiver.accepted.map { request in
                let key = request.target.split(separator: "=").dropFirst().first.map(String.init)
                return ReceivedMessage(
                    payload: request.body, key: key?.removingPercentEncoding, headers: request.headers)
            }
        }

        func refused(_ message: NewMessage) -> NewMessage {
            var message = message
            message.headers["refuse"] = "yes"
            return message
        }

        var oversizedPayload: [UInt8]? { Array(repeating: 1, count: Self.largest + 1) }

        func cutConnections() { self.receiver.cut() }
        func stop() { self.receiver.stop() }
        func start() throws { try self.receiver.start() }
    }

    @Test(arguments: TransportConformance.checks)
    func conforms(_ check: TransportConformance.Check) async throws {
        try await check.run(Fixture())
    }
}
