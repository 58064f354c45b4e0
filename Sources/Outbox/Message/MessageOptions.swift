import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What a single message overrides of its destination's retry strategy. Read only when a delivery has failed.
public struct MessageOptions: Sendable, Hashable {
    /// How often delivery is tried in all; nil: as the destination says.
    public var maximumAttempts: Int?
    /// The longest pause between two attempts; nil: as the destination says.
    public var maximumDelay: Duration?

    /// Creates options; without arguments they override nothing.
    public init(maximumAttempts: Int? = nil, maximumDelay: Duration? = nil) {
        self.maximumAttempts = maximumAttempts
        self.maximumDelay = maximumDelay
    }

    /// Whether nothing is overridden.
    package var isEmpty: Bool { self.maximumAttempts == nil && self.maximumDelay == nil }
}

extension MessageOptions {
    /// The options as they stand in the outbox: `{"max_attempts": 3, "max_delay": 60}`, the delay in seconds. Nil where
    /// nothing is overridden.
    package var json: String? {
        if self.isEmpty { return nil }
        var members: [String] = []
        if let maximumAttempts = self.maximumAttempts { members.append("\"max_attempts\":\(maximumAttempts)") }
        if let maximumDelay = self.maximumDelay { members.append("\"max_delay\":\(maximumDelay.seconds)") }
        return "{" + members.joined(separator: ",") + "}"
    }

    /// Reads the options of a row.
    ///
    /// - Throws: A ``MessageDefect`` that names what is wrong: unknown names, values of another type or out of range.
    package init(json: String) throws(MessageDefect) {
        let members: [String: Double]
        do {
            members = try JSONDecoder().decode([String: Double].self, from: Data(json.utf8))
        } catch {
            throw MessageDefect("options: not an object of numbers")
        }
        self.init()
        for (name, value) in members {
            switch name {
            case "max_attempts":
                guard let attempts = Int32(exactly: value).map(Int.init), attempts > 0 else {
                    throw MessageDefect("options: max_attempts is not a whole number from 1 to 2147483647")
                }
                self.maximumAttempts = attempts
            case "max_delay":
                guard value.isFinite, value >= 0, value <= 1e9 else {
                    throw MessageDefect("options: max_delay is not a number of seconds from 0 to 1e9")
                }
                self.maximumDelay = .seconds(value)
            default:
                throw MessageDefect("options: unknown name; known are max_attempts, max_delay")
            }
        }
    }
}

/// Why a row of the outbox is not a message that can be delivered.
package struct MessageDefect: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}
