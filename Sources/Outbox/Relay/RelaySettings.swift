package import OutboxRuntime

/// How a relay reads, commits and ends.
///
/// A member that is nil is not given. What it is then, a layer of settings below says (``merged(over:)``), or else its default.
/// No time is longer than 10,000 days.
public struct RelaySettings: Sendable, Hashable {
    /// The name under which the relay's cursors are kept. Every subscription gets every message. Default "main".
    public var subscription: String?
    /// Where the subscription begins with destinations of which it has no stream yet. Default ``FirstPosition/startOfLog``.
    public var firstPosition: FirstPosition?
    /// How much is read at once.
    public var page = Page()
    /// How much of a destination may be read and not yet committed. What is uncommitted is delivered again after a
    /// crash.
    public var window = Window()
    /// When outcomes are made durable.
    public var commit = Commit()
    /// What happens when the relay is asked to end.
    public var shutdown = Shutdown()
    /// How long the relay waits before it connects again.
    public var reconnect = Reconnect()
    /// How often a relay that is not alone looks which streams others have, and which have no owner. Default 1 s.
    public var standbyInterval: Duration?

    /// Creates settings of which none is given.
    public init() {}

    /// How much is read at once.
    public struct Page: Sendable, Hashable {
        /// Messages per page at most; fewer where a handler is slow. Default 2000.
        public var messages: Int?
        /// Bytes of payload per page; one message is always read. Default 8 MiB.
        public var bytes: Int?
    }

    /// How much of a destination may be read and not yet committed.
    public struct Window: Sendable, Hashable {
        /// Messages, not fewer than those of a page. Default 10,000.
        public var messages: Int?
        /// Bytes of payload, not fewer than those of a page. Default 32 MiB.
        public var bytes: Int?
    }

    /// When outcomes are made durable.
    public struct Commit: Sendable, Hashable {
        /// The shortest time between two commits. Default 100 ms.
        public var interval: Duration?
        /// How many messages are worth a commit while others are still being delivered. Default 1000.
        public var messages: Int?
        /// The longest time that an outcome waits while others are still being delivered. Default 1 s.
        public var maximumDelay: Duration?
    }

    /// What happens when the relay is asked to end.
    public struct Shutdown: Sendable, Hashable {
        /// How long handlers may take to finish what they have begun, before they are cancelled. Default 30 s.
        public var deadline: Duration?
    }

    /// How long the relay waits before it connects again: drawn between 0 and the delay, which doubles.
    public struct Reconnect: Sendable, Hashable {
        /// The longest wait before the first try. Default 100 ms.
        public var initialDelay: Duration?
        /// What the wait never exceeds. Default 10 s.
        public var maximumDelay: Duration?
    }

    /// These settings, and where they say nothing, those of `lower`.
    public func merged(over lower: RelaySettings) -> RelaySettings {
        var merged = self
        merged.subscription = self.subscription ?? lower.subscription
        merged.firstPosition = self.firstPosition ?? lower.firstPosition
        merged.page.messages = self.page.messages ?? lower.page.messages
        merged.page.bytes = self.page.bytes ?? lower.page.bytes
        merged.window.messages = self.window.messages ?? lower.window.messages
        merged.window.bytes = self.window.bytes ?? lower.window.bytes
        merged.commit.interval = self.commit.interval ?? lower.commit.interval
        merged.commit.messages = self.commit.messages ?? lower.commit.messages
        merged.commit.maximumDelay = self.commit.maximumDelay ?? lower.commit.maximumDelay
        merged.shutdown.deadline = self.shutdown.deadline ?? lower.shutdown.deadline
        merged.reconnect.initialDelay = self.reconnect.initialDelay ?? lower.reconnect.initialDelay
        merged.reconnect.maximumDelay = self.reconnect.maximumDelay ?? lower.reconnect.maximumDelay
        merged.standbyInterval = self.standbyInterval ?? lower.standbyInterval
        return merged
    }
}

extension RelaySettings {
    /// Settings that all have a value.
    package struct Resolved: Sendable {
        package let subscription: String
        package let firstPosition: FirstPosition
        package let page: (messages: Int, bytes: Int)
        package let window: (messages: Int, bytes: Int)
        package let commit: (interval: Duration, messages: Int, maximumDelay: Duration)
        package let shutdownDeadline: Duration
        package let reconnect: (initialDelay: Duration, maximumDelay: Duration)
        package let standbyInterval: Duration
    }

    /// Gives what is not given its default.
    package var resolved: Resolved {
        Resolved(
            subscription: self.subscription ?? "main",
            firstPosition: self.firstPosition ?? .startOfLog,
            page: (self.page.messages ?? 2000, self.page.bytes ?? 8 << 20),
            window: (self.window.messages ?? 10_000, self.window.bytes ?? 32 << 20),
            commit: (
                self.commit.interval ?? .milliseconds(100), self.commit.messages ?? 1000,
                self.commit.maximumDelay ?? .seconds(1)
            ),
            shutdownDeadline: self.shutdown.deadline ?? .seconds(30),
            reconnect: (
                self.reconnect.initialDelay ?? .milliseconds(100), self.reconnect.maximumDelay ?? .seconds(10)
            ),
            standbyInterval: self.standbyInterval ?? .seconds(1))
    }

    /// Gives what is not given its default, and checks everything.
    package func resolve() throws(InvalidSetting) -> Resolved {
        let resolved = self.resolved
        if let defect = resolved.defect { throw defect }
        return resolved
    }

    /// The defaults.
    package static let defaults = RelaySettings().resolved
}

extension RelaySettings.Resolved {
    /// What cannot be; nil: all can.
    var defect: InvalidSetting? {
        if self.subscription.isEmpty || self.subscription.utf8.count > 255 {
            return InvalidSetting("subscription", "is 1 to 255 bytes")
        }
        if self.subscription.utf8.contains(0) { return InvalidSetting("subscription", "has no NUL") }
        let counts = [
            ("page.messages", self.page.messages), ("page.bytes", self.page.bytes),
            ("commit.messages", self.commit.messages),
        ]
        for (name, count) in counts where count < 1 { return InvalidSetting(name, "is at least 1") }
        if self.window.messages < self.page.messages {
            return InvalidSetting("window.messages", "is at least", "page.messages", self.page.messages)
        }
        if self.window.bytes < self.page.bytes {
            return InvalidSetting("window.bytes", "is at least", "page.bytes", self.page.bytes)
        }
        let durations = [
            ("commit.interval", self.commit.interval), ("commit.maximumDelay", self.commit.maximumDelay),
            ("shutdown.deadline", self.shutdownDeadline), ("reconnect.initialDelay", self.reconnect.initialDelay),
            ("reconnect.maximumDelay", self.reconnect.maximumDelay), ("standbyInterval", self.standbyInterval),
        ]
        for (name, duration) in durations {
            if let defect = InvalidSetting.defect(of: name, duration) { return defect }
        }
        return nil
    }
}
