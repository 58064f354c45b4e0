public import Outbox

/// What became of the messages that ``InMemoryOutbox/drain(routes:subscription:retries:logger:)`` found.
public struct DrainResult: Sendable, Hashable {
    /// All of them, by id.
    public let messages: [DrainedMessage]

    /// Those that a handler has taken.
    public var delivered: [DrainedMessage] { self.messages.filter { $0.ending == .delivered } }

    /// Those that are not tried again.
    public var dead: [DrainedMessage] {
        self.messages.filter { if case .dead = $0.ending { true } else { false } }
    }

    /// Those that wait as before: their destination has no route, or they were put off too often.
    public var waiting: [DrainedMessage] {
        self.messages.filter { if case .waiting = $0.ending { true } else { false } }
    }
}

extension DrainResult: CustomStringConvertible {
    /// How many there are of each kind, and a line for each message.
    public var description: String {
        let counts = "\(self.delivered.count) delivered, \(self.dead.count) dead, \(self.waiting.count) waiting"
        return ([counts] + self.messages.map { "  \($0)" }).joined(separator: "\n")
    }
}

/// A message, and what became of it.
public struct DrainedMessage: Sendable, Hashable, Identifiable {
    /// What became of a message.
    ///
    /// New kinds may be added in a minor version: keep a `default` when you switch.
    public enum Ending: Sendable, Hashable {
        /// A handler has taken it.
        case delivered
        /// It is not tried again.
        case dead(Death.Reason, error: String?)
        /// It waits, with what its last attempt failed with.
        case waiting(error: String?)
    }

    /// The message's id.
    public let id: Int64
    /// What was enqueued.
    public let message: NewMessage
    /// How many attempts counted, the successful one included.
    public let attempts: Int
    /// What became of it.
    public let ending: Ending
}

extension DrainedMessage: CustomStringConvertible {
    /// In a line.
    public var description: String {
        let ending =
            switch self.ending {
            case .delivered: "delivered"
            case .dead(let reason, let error): "dead (\(reason.rawValue)\(error.map { ": \($0)" } ?? ""))"
            case .waiting(let error): "waiting" + (error.map { " (\($0))" } ?? "")
            }
        let attempts = self.attempts == 1 ? "1 attempt" : "\(self.attempts) attempts"
        return "#\(self.id) to \(self.message.destination.name): \(ending), \(attempts)"
    }
}
