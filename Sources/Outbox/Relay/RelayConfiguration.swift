/// How a relay reads, commits and ends.
public struct RelayConfiguration: Sendable, Hashable {
    /// The name under which the relay's cursors are kept. Every subscription gets every message. Default "main".
    public var subscription = "main"
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
    /// How often a relay that waits tries to take over. Default 1 s.
    public var standbyInterval: Duration = .seconds(1)

    /// The default configuration.
    public init() {}

    /// How much is read at once.
    public struct Page: Sendable, Hashable {
        /// Messages per page. Default 2000.
        public var messages = 2000
        /// Bytes of payload per page; one message is always read. Default 8 MiB.
        public var bytes = 8 << 20
    }

    /// How much of a destination may be read and not yet committed.
    public struct Window: Sendable, Hashable {
        /// Messages. Default 10,000.
        public var messages = 10_000
        /// Bytes of payload. Default 32 MiB.
        public var bytes = 32 << 20
    }

    /// When outcomes are made durable.
    public struct Commit: Sendable, Hashable {
        /// The shortest time between two commits. Default 100 ms.
        public var interval: Duration = .milliseconds(100)
        /// How many messages are worth a commit while others are still being delivered. Default 1000.
        public var messages = 1000
        /// The longest time that an outcome waits while others are still being delivered. Default 1 s.
        public var maximumDelay: Duration = .seconds(1)
    }

    /// What happens when the relay is asked to end.
    public struct Shutdown: Sendable, Hashable {
        /// How long handlers may take to finish what they have begun, before they are cancelled. Default 30 s.
        public var deadline: Duration = .seconds(30)
    }

    /// How long the relay waits before it connects again: drawn between 0 and the delay, which doubles.
    public struct Reconnect: Sendable, Hashable {
        /// The longest wait before the first try. Default 100 ms.
        public var initialDelay: Duration = .milliseconds(100)
        /// What the wait never exceeds. Default 10 s.
        public var maximumDelay: Duration = .seconds(10)
    }

    /// What is wrong with the configuration, if anything.
    package var problem: String? {
        if self.subscription.isEmpty || self.subscription.utf8.count > 255 { return "subscription is 1 to 255 bytes" }
        if self.subscription.utf8.contains(0) { return "subscription has no NUL" }
        if self.page.messages < 1 { return "page.messages is at least 1" }
        if self.page.bytes < 1 { return "page.bytes is at least 1" }
        if self.window.messages < self.page.messages { return "window.messages is at least page.messages" }
        if self.window.bytes < self.page.bytes { return "window.bytes is at least page.bytes" }
        if self.commit.messages < 1 { return "commit.messages is at least 1" }
        let durations = [
            self.commit.interval, self.commit.maximumDelay, self.shutdown.deadline, self.reconnect.initialDelay,
            self.reconnect.maximumDelay, self.standbyInterval,
        ]
        if durations.contains(where: { $0 < .zero }) { return "durations are not negative" }
        return nil
    }
}
