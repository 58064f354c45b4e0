import Outbox
import Testing

@testable import OutboxTesting

@Suite(.timeLimit(.minutes(5))) struct MessageTemplateTests {
    private let message = MessageBatch([
        NewMessage(to: "bus", route: "orders", headers: ["tenant": "acme"], text: "")
    ])[0]

    @Test(arguments: [
        ("events", "events"), ("", ""), ("{route}", "orders"), ("{destination}.{route}", "bus.orders"),
        ("{header.tenant}-{route}-", "acme-orders-"), ("{key|none}", "none"), ("{key|}", ""),
        ("{route|none}", "orders"),
        ("{{{route}}}", "{orders}"), ("{header.other|a|b}", "a|b"), ("{route}\u{301}", "orders\u{301}"),
    ])
    func text(_ template: String, _ expected: String) throws {
        let text = try MessageTemplate(template).text(for: self.message)
        #expect(text == expected)
    }

    @Test func theIDIsAPlace() throws {
        let text = try MessageTemplate("{id}").text(for: self.message)
        #expect(text == "\(self.message.id)")
    }

    @Test(arguments: [("{key}", "key"), ("a{header.other}", "header.other")])
    func whatTheMessageLacksIsNamed(_ template: String, _ name: String) throws {
        let template = try MessageTemplate(template)
        let error = #expect(throws: MessageTemplate.MissingValue.self) { try template.text(for: self.message) }
        #expect(error?.name == name)
    }

    @Test(arguments: [
        ("{rout}", "did you mean “route”?"), ("{", "is not closed"), ("a}", "}}"), ("{}", "has no “”"),
        ("{header.}", "header.NAME"), ("{payload}", "has no “payload”"),
    ])
    func whatIsWrongIsSaid(_ template: String, _ part: String) {
        let error = #expect(throws: TransportConfigurationError.self) { try MessageTemplate(template) }
        #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
    }

    @Test func constants() throws {
        let constants = try ["a{{b", "", "{route}", "a{route}"].map { try MessageTemplate($0).constant }
        #expect(constants == ["a{b", "", nil, nil])
    }
}
