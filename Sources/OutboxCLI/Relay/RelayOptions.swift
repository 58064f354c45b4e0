import ArgumentParser
import Outbox
import OutboxPostgres

/// How a relay reads, delivers and ends.
struct RelayOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The name under which the cursors are kept.", valueName: "name"))
    var subscription = "main"

    @Option(
        help: ArgumentHelp(
            "Deliveries at the same time, per destination: 1 to 1024. Default: 4.",
            valueName: "count"))
    var concurrency: Int?

    @Option(help: ArgumentHelp("How often delivery is tried before a message is dead, in all.", valueName: "count"))
    var maxAttempts = 10

    @Option(
        help: ArgumentHelp("The longest pause before the second attempt; it doubles.", valueName: "interval"),
        transform: Interval.init(parsing:))
    var initialDelay = Interval(.seconds(1))

    @Option(
        help: ArgumentHelp("What the pause never exceeds.", valueName: "interval"), transform: Interval.init(parsing:))
    var maxDelay = Interval(.seconds(600))

    @Flag(help: "Later messages of a key do not wait while an earlier one is being retried.")
    var unordered = false

    @Flag(help: "Defer messages one by one while their destination is down, instead of probing it with one.")
    var noBreaker = false

    @Option(
        help: ArgumentHelp("How long a command may take before others pass its message.", valueName: "interval"),
        transform: Interval.init(parsing:))
    var parkAfter = Interval(.seconds(2))

    @Flag(help: "Look only when notified, never just in case.")
    var noFallbackPoll = false

    @Option(
        help: ArgumentHelp("Look at this interval and never listen.", valueName: "interval"),
        transform: Interval.init(parsing:))
    var poll: Interval?

    @Option(help: ArgumentHelp("How many messages may be read and not yet committed.", valueName: "count"))
    var window = 10_000

    @Option(help: ArgumentHelp("How many messages are read at once.", valueName: "count"))
    var page = 2000

    @Option(
        help: ArgumentHelp("How long begun deliveries may take when the relay ends.", valueName: "interval"),
        transform: Interval.init(parsing:))
    var drainDeadline = Interval(.seconds(30))

    func validate() throws {
        if let concurrency, !(1...1024).contains(concurrency) {
            throw ValidationError("--concurrency is 1 to 1024.")
        }
        if self.maxAttempts < 1 { throw ValidationError("--max-attempts is at least 1.") }
        if self.parkAfter.duration <= .zero { throw ValidationError("--park-after is more than 0s.") }
        if self.page < 1 { throw ValidationError("--page is at least 1.") }
        if self.window < self.page { throw ValidationError("--window is at least --page (\(self.page)).") }
        if self.subscription.isEmpty || self.subscription.utf8.count > 255 {
            throw ValidationError("--subscription has 1 to 255 bytes.")
        }
        if self.poll != nil, self.noFallbackPoll {
            throw ValidationError("--poll and --no-fallback-poll exclude each other.")
        }
        if let poll, poll.duration < .milliseconds(1) { throw ValidationError("--poll is at least 1ms.") }
    }

    /// How deliveries that fail are repeated.
    var retry: DeliveryRetryPolicy {
        .exponential(
            maximumAttempts: self.maxAttempts, initialDelay: self.initialDelay.duration,
            maximumDelay: self.maxDelay.duration)
    }

    /// How the relay reads, commits and ends.
    var configuration: RelayConfiguration {
        var configuration = RelayConfiguration()
        configuration.subscription = self.subscription
        configuration.page.messages = self.page
        configuration.window.messages = self.window
        configuration.shutdown.deadline = self.drainDeadline.duration
        return configuration
    }

    /// How the relay learns that there is something to read.
    var wakeup: PostgresStore.Wakeup {
        if let poll { return .polling(every: poll.duration) }
        return self.noFallbackPoll ? .notify(fallback: nil) : .notify()
    }
}
