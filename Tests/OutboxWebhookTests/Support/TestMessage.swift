import Outbox
import OutboxTesting

extension NewMessage {
    /// The message as a transport is given it.
    var read: Message { MessageBatch([self])[0] }

    static func numbered(_ number: Int, key: String? = nil, headers: [String: String] = [:]) -> NewMessage {
        NewMessage(to: "hooks", route: "order.placed", key: key, headers: headers, text: "{\"number\":\(number)}")
    }
}
