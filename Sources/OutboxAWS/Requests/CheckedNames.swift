import Outbox
import Synchronization

/// The targets that a template makes of messages: each text is checked once, and not for each message.
final class CheckedNames<Name: Sendable>: Sendable {
    private let template: MessageTemplate
    private let what: String
    private let check: @Sendable (String) throws(MessageRefusal) -> Name
    /// Where all messages have the same.
    let constant: Result<Name, MessageRefusal>?
    private let seen = Mutex<[String: Name]>([:])

    /// Templates with many values must not fill the memory.
    private static var most: Int { 10_000 }

    /// - Parameters:
    ///   - what: What the names are of.
    ///   - check: Throws why a text is no name.
    init(
        _ template: MessageTemplate, _ what: String,
        check: @escaping @Sendable (String) throws(MessageRefusal) -> Name
    ) {
        self.template = template
        self.what = what
        self.check = check
        self.constant = template.constant.map { text in Result { () throws(MessageRefusal) in try check(text) } }
    }

    /// - Throws: Why there is none for the message.
    func name(for message: Message) throws(MessageRefusal) -> Name {
        if let constant { return try constant.get() }
        let text = try self.template.part(of: message, self.what)
        if let name = self.seen.withLock({ $0[text] }) { return name }
        let name = try self.check(text)
        self.seen.withLock { seen in
            if seen.count >= Self.most { seen.removeAll() }
            seen[text] = name
        }
        return name
    }
}
