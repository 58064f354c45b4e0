import Outbox
import Testing

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

@Suite("Validation of new messages", .timeLimit(.minutes(5)))
struct NewMessageValidationTests {
    private func message(_ change: (inout NewMessage) -> Void = { _ in }) -> NewMessage {
        var message = NewMessage(to: "orders", text: "")
        change(&message)
        return message
    }

    @Test("What is at a limit is valid")
    func limits() throws {
        let valid = [
            self.message(),
            self.message { $0.destination = Destination(String(repeating: "d", count: 255)) },
            self.message { $0.route = String(repeating: "é", count: 512) },
            self.message { $0.key = String(repeating: "k", count: 1024) },
            self.message { $0.idempotencyKey = String(repeating: "k", count: 1024) },
            self.message { $0.headers = ["": ""] },
            self.message { $0.deliverAt = .distantPast },
            self.message { $0.options = MessageOptions(maximumAttempts: 1, maximumDelay: .zero) },
        ]
        for message in valid { try message.validate() }
        try self.message { $0.payload = [1, 2, 3] }.validate(maximumPayload: 3)
    }

    @Test("What is beyond a limit is refused, and the field is named")
    func refusals() {
        let invalid: [(NewMessage, String)] = [
            (self.message { $0.destination = "" }, "destination"),
            (self.message { $0.destination = Destination(String(repeating: "é", count: 128)) }, "destination"),
            (self.message { $0.destination = "a\0b" }, "destination"),
            (self.message { $0.route = "" }, "route"),
            (self.message { $0.route = String(repeating: "r", count: 1025) }, "route"),
            (self.message { $0.route = "\0" }, "route"),
            (self.message { $0.key = "" }, "key"),
            (self.message { $0.key = String(repeating: "k", count: 1025) }, "key"),
            (self.message { $0.key = "k\0" }, "key"),
            (self.message { $0.idempotencyKey = "" }, "idempotencyKey"),
            (self.message { $0.idempotencyKey = String(repeating: "k", count: 1025) }, "idempotencyKey"),
            (self.message { $0.idempotencyKey = "k\0" }, "idempotencyKey"),
            (self.message { $0.headers = ["a\0": "b"] }, "headers"),
            (self.message { $0.headers = ["a": "b\0"] }, "headers"),
            (self.message { $0.deliverAt = Date(timeIntervalSince1970: .nan) }, "deliverAt"),
            (self.message { $0.options = MessageOptions(maximumAttempts: 0) }, "options.maximumAttempts"),
            (self.message { $0.options = MessageOptions(maximumDelay: .seconds(-1)) }, "options.maximumDelay"),
        ]
        for (message, field) in invalid {
            let error = #expect(throws: InvalidMessage.self) { try message.validate() }
            #expect(error?.field == field)
        }
    }

    @Test("A payload over the limit is refused, whatever limit is asked for")
    func payload() {
        let over = self.message { $0.payload = [1, 2, 3, 4] }
        #expect(throws: InvalidMessage(field: "payload", reason: "has 4 bytes; at most 3 are allowed")) {
            try over.validate(maximumPayload: 3)
        }
        let far = self.message { $0.payload = [UInt8](repeating: 0, count: NewMessage.largestPayload + 1) }
        #expect(throws: InvalidMessage.self) { try far.validate(maximumPayload: .max) }
    }

    @Test("The description holds no value")
    func description() {
        let error = #expect(throws: InvalidMessage.self) {
            try self.message { $0.key = "secret\0" }.validate()
        }
        #expect(error?.description == "invalid message: key contains a NUL")
    }
}
