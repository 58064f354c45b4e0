import ArgumentParser
import Outbox
import OutboxPostgres
import OutboxRuntime

/// How a relay reads, delivers and ends. What is not given is nil, so that another layer of settings can lie below.
struct RelayOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The name under which the cursors are kept. (default: \(RelaySettings.defaults.subscription))",
            valueName: "name"))
    var subscription: String?

    @Option(
        help: ArgumentHelp(
            """
            Where the subscription begins with a destination that it has no stream of yet: with the oldest message that the log has \
            kept, or with what is committed from now on. (default: start)
            """, valueName: "start|now"))
    var from: FromArgument?

    @Option(
        help: ArgumentHelp(
            "Deliveries at the same time, per destination: 1 to 1024. Default: 4.",
            valueName: "count"))
    var concurrency: Int?

    @Option(
        help: ArgumentHelp(
            "How often delivery is tried before a message is dead, in all. (default: \(Self.usual.retry.maximumAttempts))",
            valueName: "count"))
    var maxAttempts: Int?

    @Option(
        help: ArgumentHelp(
            "The longest pause before the second attempt; it doubles. (default: \(BackoffRetryStrategy.usual.base.short))",
            valueName: "interval"),
        transform: Interval.init(parsing:))
    var initialDelay: Interval?

    @Option(
        help: ArgumentHelp(
            "What the pause never exceeds. (default: \(BackoffRetryStrategy.usual.cap.short))", valueName: "interval"),
        transform: Interval.init(parsing:))
    var maxDelay: Interval?

    @Flag(help: "Later messages of a key do not wait while an earlier one is being retried.")
    var unordered = false

    @Flag(help: "Defer messages one by one while their destination is down, instead of probing it with one.")
    var noBreaker = false

    @Option(
        help: ArgumentHelp(
            """
            How long a command may take before others pass its message. (default: \
            \(Self.usual.parkedAfter?.short ?? "never"))
            """, valueName: "interval"),
        transform: Interval.init(parsing:))
    var parkAfter: Interval?

    @Option(
        help: ArgumentHelp(
            "How long a command may take before it is killed and its message tried again; brokers and services have limits of their own. (default: no limit)",
            valueName: "interval"),
        transform: Interval.init(parsing:))
    var timeout: Interval?

    @Option(
        help: ArgumentHelp(
            "How many messages a second each destination is given at most, by this relay. (default: no limit)",
            valueName: "number"))
    var maxRate: Double?

    @Flag(help: "Look only when notified, never just in case.")
    var noFallbackPoll = false

    @Option(
        help: ArgumentHelp("Look at this interval and never listen.", valueName: "interval"),
        transform: Interval.init(parsing:))
    var poll: Interval?

    @Option(
        help: ArgumentHelp(
            "How many streams, which relays share, a destination gets that has none yet: 1 to 1024. (default: 1)",
            valueName: "count"))
    var streams: Int?

    @Option(
        help: ArgumentHelp(
            "How many messages may be read and not yet committed. (default: \(RelaySettings.defaults.window.messages))",
            valueName: "count"))
    var window: Int?

    @Option(
        help: ArgumentHelp(
            "How many messages are read at once at most. (default: \(RelaySettings.defaults.page.messages))",
            valueName: "count"
        ))
    var page: Int?

    @Option(
        help: ArgumentHelp(
            """
            How long begun deliveries may take when the relay ends. (default: \
            \(RelaySettings.defaults.shutdownDeadline.short))
            """, valueName: "interval"),
        transform: Interval.init(parsing:))
    var drainDeadline: Interval?

    /// What holds for a command where nothing is given, but for its concurrency.
    private static let usual = DeliverySettings().resolved(for: .message)

    func validate() throws {
        do throws(InvalidSetting) {
            _ = try self.settings.resolve()
            _ = try self.delivery.resolve(for: .message)
        } catch {
            throw ValidationError(error.text { Self.names[$0] ?? $0 } + ".")
        }
        if self.poll != nil, self.noFallbackPoll {
            throw ValidationError("--poll and --no-fallback-poll exclude each other.")
        }
        guard (1...1024).contains(self.streams ?? 1) else { throw ValidationError("--streams is 1 to 1024.") }
        if let poll, poll.duration < .milliseconds(1) { throw ValidationError("--poll is at least 1ms.") }
    }

    /// The options that settings are called here.
    private static let names = [
        "subscription": "--subscription", "page.messages": "--page", "window.messages": "--window",
        "concurrency": "--concurrency", "retry.maximumAttempts": "--max-attempts", "parking": "--park-after",
        "timeout": "--timeout", "maximumRate": "--max-rate",
    ]

    /// How the relay reads, commits and ends.
    var settings: RelaySettings { self.relay.settings }

    /// How messages are delivered, whatever the sink.
    var delivery: DeliverySettings {
        var layer = DeliveryLayer()
        layer.concurrency = self.concurrency
        layer.maxAttempts = self.maxAttempts
        layer.initialDelay = self.initialDelay?.duration
        layer.maxDelay = self.maxDelay?.duration
        if self.unordered { layer.order = DeliveryLayer.Order.none }
        if self.noBreaker { layer.breaker = false }
        layer.parkAfter = self.parkAfter.map { .some($0.duration) }
        layer.timeout = self.timeout?.duration
        layer.maxRate = self.maxRate
        return layer.settings
    }

    /// How the relay learns that there is something to read; nil: it is not given.
    var wakeup: PostgresStore.Wakeup? { self.relay.wakeup }

    /// The same as a file would have it.
    private var relay: RelayLayer {
        RelayLayer(
            subscription: self.subscription, from: self.from, page: self.page, window: self.window,
            streams: self.streams, poll: self.poll?.duration, fallbackPoll: self.noFallbackPoll ? false : nil,
            drainDeadline: self.drainDeadline?.duration)
    }
}
