import Outbox
import OutboxTesting
import Testing

@testable import OutboxPubSub

/// The short way to write a message, beside the one for all messages.
@Suite(.timeLimit(.minutes(2))) struct PlainPublishingTests {
    private func template(
        _ attributes: PubSubConfiguration.Attributes, topic: MessageTemplate = "orders"
    ) throws -> PublishTemplate {
        var configuration = PubSubConfiguration(project: "project-1", topic: topic, ordering: .none)
        configuration.attributes = attributes
        return PublishTemplate(configuration)
    }

    private static let forms: [PubSubConfiguration.Attributes] = {
        var forms = [PubSubConfiguration.Attributes()]
        for (id, time) in [(nil, nil), ("id", nil), (nil, "at"), (String(repeating: "n", count: 200), "at")] {
            forms.append(.init(id: id, route: nil, enqueuedAt: time))
        }
        return forms
    }()

    @Test func bothWriteTheSame() throws {
        for form in Self.forms {
            let template = try self.template(form)
            let plain = try #require(template.plain)
            for count in [1, 2, 100, 127, 128, 129, 16_383, 16_384, 16_385, 100_000] {
                let batch = MessageBatch([
                    NewMessage(to: "orders", key: "k", payload: (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) })
                ])
                var (short, long) = (ProtobufWriter([1], capacity: 0), ProtobufWriter([1], capacity: 0))
                let isWritten = unsafe LentBatch(batch).withMessages { unsafe plain.form.write($0[0], to: &short) }
                let message = try template.write(batch[0], to: &long)
                #expect(isWritten && short.bytes == long.bytes && message.bytes == 1..<long.bytes.count)
                #expect(message.target == plain.target)
            }
        }
    }

    @Test func whatIsNotPlainIsLeftToTheOther() throws {
        let template = try self.template(.init())
        let plain = try #require(template.plain)
        for message in [
            NewMessage(to: "orders", headers: ["h": "v"], payload: [1]), NewMessage(to: "orders", payload: []),
            NewMessage(to: "orders", route: "r", payload: [1]),
            NewMessage(to: "orders", payload: Array(repeating: 1, count: ServiceLimits.dataBytes + 1)),
            NewMessage(to: "orders", payload: Array(repeating: 1, count: ServiceLimits.dataBytes)),
        ] {
            var writer = ProtobufWriter()
            let isWritten = unsafe LentBatch(MessageBatch([message])).withMessages {
                unsafe plain.form.write($0[0], to: &writer)
            }
            #expect(!isWritten && writer.bytes.isEmpty)
        }
        #expect(try self.template(.init(), topic: "{route}").plain == nil)
        #expect(try self.template(.init(id: "a", enqueuedAt: "a")).plain == nil)
    }
}
