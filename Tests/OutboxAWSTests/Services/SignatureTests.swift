import Foundation
import Outbox
import OutboxTesting
import TestSupport
import Testing

@testable import OutboxAWS

/// A server that verifies signatures.
@Suite(.serialized, .timeLimit(.minutes(10))) struct SignatureTests {
    private static let letters = "zwölf \u{1F600}\t\r\n\"\\/\u{7F}\u{FFFD}"

    @Test func whatIsSignedRightArrivesInAQueueByteForByte() async throws {
        let testbed = try await AWSTestbed(.moto)
        try await testbed.makeQueue("orders")
        try await running(try testbed.queue("orders")) { transport async throws in
            let health = await transport.check()
            #expect(health.isUp, "\(health)")
            let headers = ["traceparent": "00-1-2-03", "b": Self.letters]
            let messages = (0..<25).map { NewMessage.text("\($0) \(Self.letters)", key: "k\($0)", headers: headers) }
            #expect(try await transport.deliver(MessageBatch(messages)).areDelivered)
            let arrived = try await testbed.drain("orders")
            #expect(Set(arrived.map(\.body)) == Set(messages.map { Data($0.payload) }))
            for message in arrived {
                #expect(message.attributes.filter { $0.key != "outbox-id" } == headers)
                #expect(message.attributes["outbox-id"].flatMap(Int64.init) != nil)
            }
            let batches = try await testbed.requests().filter { $0.operation == "SendMessageBatch" }
            #expect(batches.map(\.count).sorted() == [5, 10, 10], "requests are filled")
        }
    }

    @Test func whatIsSignedRightArrivesInAStreamByteForByte() async throws {
        let testbed = try await AWSTestbed(.moto)
        try await testbed.makeStream("events")
        try await running(try testbed.stream("events")) { transport async throws in
            let health = await transport.check()
            #expect(health.isUp, "\(health)")
            let messages = (0..<600).map { number in
                NewMessage(to: "orders", key: "ключ \(number)", payload: (0...255).map { UInt8(($0 + number) % 256) })
            }
            #expect(try await transport.deliver(MessageBatch(messages)).areDelivered)
            let arrived = try await testbed.records("events")
            #expect(Set(arrived.map(\.data)) == Set(messages.map { Data($0.payload) }))
            #expect(Set(arrived.map(\.key)) == Set(messages.map { $0.key ?? "" }))
            let requests = try await testbed.requests().filter { $0.operation == "PutRecords" }
            #expect(requests.map(\.count).sorted() == [100, 500], "requests are filled")
        }
    }

    @Test func aWrongSecretIsAnOutage() async throws {
        let testbed = try await AWSTestbed(.moto)
        try await testbed.makeQueue("orders")
        let wrong = AWSCredentials(accessKeyID: testbed.key, secretAccessKey: testbed.secret + "x")
        try await running(try testbed.queue("orders") { $0.aws.credentials = .fixed(wrong) }) {
            transport async throws in
            let outcomes = try await transport.deliver(MessageBatch((0..<20).map { .text("\($0)") }))
            #expect(outcomes.allSatisfy { $0.isUnavailable }, "\(outcomes)")
            #expect(outcomes[0].reason?.contains("Signature") == true, "\(outcomes[0])")
            #expect(!outcomes.contains { $0.reason?.contains(testbed.secret) == true })
            #expect(!transport.health.isUp)
            let health = await transport.check()
            #expect(!health.isUp && health.reason?.contains("Signature") == true, "\(health)")
            // Looked up once for the batch, once for the check, and not again and again.
            #expect(try await testbed.requests().count <= 4)
        }
        #expect(try await testbed.drain("orders").isEmpty)
    }

    @Test func aKeyThatNoOneHasIsAnOutage() async throws {
        let testbed = try await AWSTestbed(.moto)
        try await testbed.makeStream("events")
        let wrong = AWSCredentials(accessKeyID: "AKIAXXXXXXXXXXXXXXXX", secretAccessKey: "x")
        try await running(try testbed.stream("events") { $0.aws.credentials = .fixed(wrong) }) {
            transport async throws in
            let outcomes = try await transport.deliver(MessageBatch((0..<20).map { .text("\($0)") }))
            #expect(outcomes.allSatisfy { $0.isUnavailable }, "\(outcomes)")
            let health = await transport.check()
            #expect(!health.isUp, "\(health)")
        }
        #expect(try await testbed.records("events").isEmpty)
    }

    @Test func aBodyThatWasChangedOnItsWayIsRefused() async throws {
        let testbed = try await AWSTestbed(.moto)
        try await testbed.makeQueue("orders")
        try await testbed.makeStream("events")
        try await running(try testbed.queue("orders")) { transport async throws in
            try await testbed.alter("SendMessageBatch", "hundred", to: "million")
            let outcomes = try await transport.deliver(MessageBatch([.text("a hundred"), .text("b")]))
            #expect(outcomes.allSatisfy { $0.isUnavailable }, "\(outcomes)")
            #expect(try await testbed.drain("orders").isEmpty)
            #expect(try await transport.deliver(MessageBatch([.text("a hundred"), .text("b")])).areDelivered)
            #expect(transport.health.isUp)
        }
        try await running(try testbed.stream("events")) { transport async throws in
            try await testbed.alter("PutRecords", "YQ==", to: "Yg==")
            let outcomes = try await transport.deliver(MessageBatch([.text("a")]))
            #expect(outcomes[0].isUnavailable, "\(outcomes)")
            #expect(try await testbed.records("events").isEmpty)
        }
    }

    /// The service's time is that of its answers.
    @Test(arguments: [-86_400.0, 3600, 500_000])
    func aClockThatIsOffIsCorrectedOnceAndSaidSo(_ offset: Double) async throws {
        let testbed = try await AWSTestbed(.ministack)
        try await testbed.makeQueue("orders")
        try await testbed.makeStream("events")
        try await testbed.misbehave(["time": offset])
        let lines = LogLines()
        try await running(try testbed.queue("orders", log: lines)) { transport async throws in
            #expect(try await transport.deliver(MessageBatch((0..<30).map { .text("\($0)") })).areDelivered)
            #expect(try await transport.deliver(MessageBatch((30..<60).map { .text("\($0)") })).areDelivered)
        }
        #expect(lines.warnings.count == 1, "\(lines.warnings)")
        try await running(try testbed.stream("events")) { transport async throws in
            // Without a look-up that would find it out before.
            #expect(try await transport.deliver(MessageBatch((0..<30).map { .text("\($0)") })).areDelivered)
        }
        #expect(Set(try await testbed.drain("orders").map(\.text)) == Set((0..<60).map(String.init)))
        #expect(try await testbed.records("events").count == 30)
    }
}
