import Foundation
import Outbox
import OutboxTesting
import Testing

@testable import OutboxAWS

/// Topics and buses, by the queues behind them, at a server that verifies signatures.
@Suite(.serialized, .timeLimit(.minutes(10))) struct TopicTests {
    private static let letters = "zwölf \u{1F600} \"\\/&=+%"

    @Test func whatIsPublishedArrivesByteForByte() async throws {
        let testbed = try await AWSTestbed(.moto)
        let arn = try await testbed.makeTopic("orders")
        try await running(try testbed.topic(try MessageTemplate(arn))) { transport async throws in
            let health = await transport.check()
            #expect(health.isUp, "\(health)")
            let headers = ["traceparent": "00-1-2-03", "b": Self.letters]
            let messages = (0..<25).map { NewMessage.text("\($0) \(Self.letters)", key: "k\($0)", headers: headers) }
            let outcomes = try await transport.deliver(MessageBatch(messages))
            #expect(outcomes.areDelivered, "\(outcomes)")
            let arrived = try await testbed.drain("orders")
            #expect(Set(arrived.map(\.body)) == Set(messages.map { Data($0.payload) }))
            #expect(arrived.allSatisfy { $0.attributes["b"] == Self.letters && $0.attributes["outbox-id"] != nil })
            let requests = try await testbed.requests().map(\.bytes)
            #expect(requests.count == 4, "three full requests and the check")
        }
    }

    @Test func aFIFOTopicKeepsGroupsInOrder() async throws {
        let testbed = try await AWSTestbed(.moto)
        let arn = try await testbed.makeTopic("orders.fifo")
        let name = try #require(arn.split(separator: ":").last)
        let account = try #require(arn.split(separator: ":").dropLast().last)
        try await running(
            try testbed.topic(try MessageTemplate(String(name))) { $0.account = String(account) }
        ) { transport async throws in
            let messages = (0..<40).map { NewMessage.text("\($0)", key: "k\($0 % 4)") }
            let outcomes = try await transport.deliver(MessageBatch(messages))
            #expect(outcomes.areDelivered, "\(outcomes)")
        }
        let arrived = try await testbed.drain("orders.fifo").compactMap { Int($0.text) }
        #expect(Set(arrived) == Set(0..<40))
        for key in 0..<4 { #expect(arrived.filter { $0 % 4 == key } == (0..<10).map { $0 * 4 + key }) }
    }

    @Test func aMissingTopicAndAWrongSecretAreOutages() async throws {
        let testbed = try await AWSTestbed(.moto)
        let missing: MessageTemplate = "arn:aws:sns:eu-central-1:123456789012:nothing"
        try await running(try testbed.topic(missing)) { transport async throws in
            let outcomes = try await transport.deliver(MessageBatch([.text("a")]))
            #expect(outcomes[0].isUnavailable && outcomes[0].reason?.contains("NotFound") == true, "\(outcomes)")
            let health = await transport.check()
            #expect(health.reason?.contains("NotFound") == true, "\(health)")
        }
        let arn = try await testbed.makeTopic("orders")
        let wrong = AWSCredentials(accessKeyID: testbed.key, secretAccessKey: testbed.secret + "x")
        try await running(
            try testbed.topic(try MessageTemplate(arn)) { $0.aws.credentials = .fixed(wrong) }
        ) { transport async throws in
            let outcomes = try await transport.deliver(MessageBatch([.text("a")]))
            #expect(outcomes[0].isUnavailable && outcomes[0].reason?.contains("Signature") == true, "\(outcomes)")
        }
        #expect(try await testbed.drain("orders").isEmpty)
    }

    private struct Event: Decodable {
        let source: String
        let detail: [String: String]
        let type: String
        private enum CodingKeys: String, CodingKey {
            case source, detail
            case type = "detail-type"
        }
    }

    @Test func eventsArriveByteForByte() async throws {
        let testbed = try await AWSTestbed(.moto)
        try await testbed.makeBus("shop")
        try await running(try testbed.bus("shop")) { transport async throws in
            let health = await transport.check()
            #expect(health.isUp, "\(health)")
            let values = (0..<25).map { "\($0) \(Self.letters)" }
            let messages = try values.map { value in
                NewMessage(
                    to: "orders", route: "order.placed", payload: Array(try JSONEncoder().encode(["value": value])))
            }
            let outcomes = try await transport.deliver(MessageBatch(messages + [.text("no object")]))
            #expect(
                outcomes.dropLast().allSatisfy { $0 == .delivered } && outcomes.last?.isRejection == true, "\(outcomes)"
            )
            let arrived = try await testbed.drain("shop").map { try JSONDecoder().decode(Event.self, from: $0.body) }
            #expect(Set(arrived.compactMap { $0.detail["value"] }) == Set(values))
            #expect(arrived.allSatisfy { $0.source == "shop" && $0.type == "order.placed" })
        }
        try await running(try testbed.bus("nothing")) { transport async throws in
            let health = await transport.check()
            #expect(health.reason?.contains("ResourceNotFound") == true, "\(health)")
        }
    }
}
