import Logging
import Outbox
import OutboxPostgres
import OutboxRuntime

/// All that a relay is to be: the options over the environment over the file.
struct RelayPlan: Sendable {
    let routes: [RouteArgument]
    let server: ServerLayer
    let settings: RelaySettings
    let segments: SegmentPolicy
    /// What is set and has no effect, in a sentence each.
    let remarks: [String]
    let streams: Int
    let wakeup: PostgresStore.Wakeup
    let logLevel: Logger.Level
    let logFormat: LogFormat
    /// Where to listen; nil: nowhere.
    let listen: ListenAddress?
    /// What the page shows there.
    let web: WebLayer
    /// What holds for every route that does not say otherwise.
    private let delivery: DeliveryLayer
    /// What holds for every route, whatever it says.
    private let options: DeliverySettings

    /// Reads the file and the environment.
    ///
    /// - Throws: A ``ConfigurationFile/Failure``, or a ``CommandFailure`` where what was given does not fit together.
    init(_ command: RelayCommand, environment: [String: String]) throws {
        let layer = try command.server.layer
        let file = command.server.configurationFile ?? "the configuration"
        // A destination that an option names is the option's.
        let named = Set(command.routes.map(\.destination))
        self.routes =
            try layer.arguments(environment: environment, file: file, but: named) + command.routes
        self.server = layer.server
        self.settings = command.options.settings.merged(over: layer.relay.settings)
        self.segments = command.segments.policy(layer.segments)
        self.remarks = [command.segments.remark(layer.segments)].compactMap(\.self)
        self.streams = command.options.streams ?? layer.relay.streams ?? 1
        self.wakeup = command.options.wakeup ?? layer.relay.wakeup ?? .notify()
        self.logLevel = command.logLevel?.level ?? layer.logLevel ?? .info
        self.logFormat = command.logFormat ?? layer.logFormat ?? .text
        self.listen = command.listen ?? layer.listen
        self.web = layer.web
        var options = command.options.delivery
        if command.untilEmpty { options.breaker = .off }
        self.options = options
        self.delivery = layer.delivery
        _ = try command.server.configuration(application: "relay", layer.server)
        _ = try command.server.schema(layer.server)
        if self.routes.isEmpty {
            throw CommandFailure(
                .usage,
                command.server.configurationFile.map { "\($0) has no routes: give at least one, such as “*: stdout”" }
                    ?? "Give at least one --route, such as --route '*=stdout', or a --config with routes.")
        }
        if command.options.wakeup == nil, layer.relay.poll != nil, layer.relay.fallbackPoll == false {
            throw CommandFailure(.usage, "poll and fallback_poll exclude each other")
        }
        try self.check()
    }

    /// What each destination is delivered by, nil all others, without addresses.
    var sinkNames: [String?: String] {
        Dictionary(self.routes.map { ($0.destination, $0.sink.kindName) }) { _, last in last }
    }

    /// How the messages of a route are delivered.
    func delivery(of route: RouteArgument) -> DeliverySettings {
        self.options.merged(over: route.delivery.merged(over: self.delivery).settings)
    }

    /// What no setting alone is to blame for: two of them may come from different places.
    private func check() throws {
        do throws(InvalidSetting) {
            _ = try self.settings.resolve()
            for route in self.routes { _ = try self.delivery(of: route).resolve(for: .message) }
        } catch {
            throw CommandFailure(.usage, error.text { Self.names[$0] ?? $0 })
        }
    }

    /// What settings are called in a file; options have the same names, with hyphens.
    private static let names = [
        "page.messages": "page", "window.messages": "window", "retry.maximumAttempts": "max_attempts",
        "parking": "park_after", "maximumCount": "batch", "maximumRate": "max_rate",
        "breaker.failures": "breaker_failures",
        "breaker.maximumDelay": "breaker_max_delay",
    ]
}
