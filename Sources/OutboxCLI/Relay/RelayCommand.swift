import ArgumentParser
import Logging
import Outbox
import OutboxPostgres
import OutboxRuntime

/// `outbox relay`: delivers to brokers, stdout, files or commands.
struct RelayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relay",
        abstract:
            "Deliver messages to RabbitMQ, Kafka, services of AWS, Google Pub/Sub, webhooks, stdout, a file or a command.",
        discussion: """
            SINKS:
              stdout        a line of JSON per message: \(MessageFields.lineHelp)
              file:PATH     the same, appended to a file
              exec:COMMAND  /bin/sh -c COMMAND per message, the payload on stdin;
                            \(MessageFields.variableHelp) in
                            the environment. Exit status 0: delivered; 65: dead
                            letter at once; 69: unavailable, the destination is
                            down; else: retry, with the last line of stderr as the
                            error
              discard       delivered at once
              amqp://USER:PASSWORD@HOST,HOST/VHOST?exchange=NAME&routing_key={route}
                            RabbitMQ; amqps:// with TLS. Delivered when confirmed
              kafka://USER:PASSWORD@HOST,HOST?topic={route}
                            Kafka; kafkas:// with TLS. Any property of librdkafka
                            is a parameter. Delivered when all replicas have it
              sqs://QUEUE?region=REGION
                            Amazon SQS, a queue's name or a template such as
                            {route}.fifo. Delivered when SQS has answered so
              kinesis://STREAM?region=REGION
                            Amazon Kinesis Data Streams, likewise
              sns://TOPIC?region=REGION&account=ACCOUNT
              eventbridge://BUS?region=REGION&source=SOURCE
                            Amazon SNS and EventBridge, likewise
              pubsub://PROJECT/TOPIC?endpoint=us-east1-pubsub.googleapis.com
                            Google Cloud Pub/Sub; the emulator that
                            PUBSUB_EMULATOR_HOST names. Delivered when confirmed
              https://HOST/PATH/{route}?QUERY&outbox.PARAMETER=VALUE
                            a webhook, a request per message, signed with
                            OUTBOX_WEBHOOK_SECRET; http:// without TLS. Delivered
                            when the answer is 2xx

            What the address of a broker leaves out of user and password is taken from OUTBOX_AMQP_USERNAME, \
            OUTBOX_AMQP_PASSWORD, OUTBOX_KAFKA_USERNAME and OUTBOX_KAFKA_PASSWORD; a webhook has OUTBOX_WEBHOOK_SECRET \
            and OUTBOX_WEBHOOK_TOKEN besides. Credentials for AWS come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, \
            a profile, a role or the machine; those for Google are its application default, or credentials=FILE. docs/cli.md lists the parameters.

            The destination * is every destination that has no --route of its own, those that come while the relay runs \
            included. A line is written completely before its message counts as delivered; after a crash messages may come again, \
            with the same id. SIGTERM and SIGINT let begun deliveries finish; a second SIGINT ends at once. When the \
            reader of stdout goes away, the relay ends with 0.

            EXAMPLES:
              outbox relay --route event-bus=stdout | my-publisher
              outbox relay --route '*=stdout' --until-empty > messages.ndjson
              outbox relay --route email=exec:./send-mail --concurrency 8
              outbox relay --subscription reports --from now --route '*=file:reports.ndjson'
              outbox relay --route audit=file:audit.ndjson --route '*=discard'
              outbox relay --route 'orders=amqp://mq/shop?exchange=orders&type=topic'
              outbox relay --route 'events=kafka://k1:9092,k2:9092?topic=events'
              outbox relay --route 'orders=sqs://orders.fifo?region=eu-central-1'
              outbox relay --route 'events=kinesis://events?region=eu-central-1'
              outbox relay --route 'news=sns://news?region=eu-central-1&account=123456789012'
              outbox relay --route 'shop=eventbridge://default?region=eu-central-1&source=shop'
              outbox relay --route 'events=pubsub://my-project/events'
              outbox relay --route 'hooks=https://shop.example/hooks/{route}'
              outbox relay --check --route 'orders=amqp://mq/shop?exchange=orders'
            """)

    @OptionGroup
    var server: ServerOptions

    @Option(
        name: .customLong("route"),
        help: ArgumentHelp("Where a destination's messages go; repeatable.", valueName: "destination=sink"),
        transform: RouteArgument.init(parsing:))
    var routes: [RouteArgument] = []

    @OptionGroup
    var options: RelayOptions

    @OptionGroup
    var segments: SegmentOptions

    @Flag(
        name: [.customLong("until-empty"), .customLong("once")],
        help: """
            End when everything has been delivered or is dead, retries and what is scheduled for later included; with 2 if \
            something is dead. Implies --no-breaker.
            """)
    var untilEmpty = false

    @Flag(
        help: """
            Try each route without sending a message, print a line for each, and end: whether its other side answers, takes the \
            login, and has what messages go to. With 69 if a route cannot be used. The database is not asked.
            """)
    var check = false

    @Option(
        help: ArgumentHelp("trace, debug, info, notice, warning, error or critical.", valueName: "level"),
        transform: LogLevelArgument.init(parsing:))
    var logLevel = LogLevelArgument(.info)

    @Option(help: ArgumentHelp("How lines of the log are written: text, json or logfmt.", valueName: "format"))
    var logFormat = LogFormat.text

    @Flag(help: "Write what the relay does to stderr, a JSON object a line.")
    var events = false

    @Option(
        help: ArgumentHelp(
            "Of what the relay does, write these alone: \(EventKind.list). Implies --events.", valueName: "kind,kind"),
        transform: EventKinds.init(parsing:))
    var eventsOf: EventKinds?

    func validate() throws {
        var seen: Set<String?> = []
        for route in self.routes where !seen.insert(route.destination).inserted {
            throw ValidationError("--route: “\(route.destination ?? "*")” is there twice.")
        }
    }

    func run() async throws {
        // Not in validate(), which is asked before an option that does not exist is complained about.
        if self.routes.isEmpty {
            throw CommandFailure(.usage, "Give at least one --route, such as --route '*=stdout'.")
        }
        let readerGone = Latch()
        var handlers = SinkHandlers(
            reportsDeliveries: self.reported?.contains(.delivered) ?? false, logger: self.logger
        ) { readerGone.open() }
        try handlers.check(self.routes.map(\.sink))
        if self.check { return try await self.checkRoutes(&handlers) }
        let schema = try self.server.outbox.schema
        // Connecting first reports at once the errors that no retry can help.
        try await self.server.withConnection(application: "relay") { connection in
            try await schema.checkVersion(on: connection)
        }
        var routes = RelayRoutes()
        for route in self.routes {
            let handler = try handlers.handler(for: route.sink, settings: self.delivery)
            if let destination = route.destination {
                routes[Destination(destination)] = handler
            } else {
                routes.others = handler
            }
        }
        let relay = Relay(
            store: PostgresStore(
                postgres: try self.server.configuration(application: "relay"), schema: schema,
                wakeup: self.options.wakeup ?? .notify(), segments: self.segments.policy,
                streamsPerDestination: self.options.streams),
            routes: routes, settings: self.options.settings, logger: self.logger)
        var watch: BacklogWatch?
        if self.untilEmpty {
            watch = BacklogWatch(
                server: self.server, subscription: self.options.subscription ?? RelaySettings.defaults.subscription,
                destinations: routes.others == nil ? Set(routes.destinations) : nil)
        }
        let run = RelayRun(
            relay: relay, readerGone: readerGone, watch: watch, events: self.reported, logger: self.logger)
        try await run()
        if self.untilEmpty, !readerGone.isOpen { try Self.report(deadLetters: relay.deadLetterCount) }
    }

    private func checkRoutes(_ handlers: inout SinkHandlers) async throws {
        var routes: [(name: String, sink: Sink, transport: (any Transport)?)] = []
        for route in self.routes {
            routes.append((route.destination ?? "*", route.sink, try handlers.transport(of: route.sink)))
        }
        try await RouteCheck(routes: routes)()
    }

    private static func report(deadLetters count: Int) throws {
        if count == 0 { return }
        throw CommandFailure(
            .warnings,
            "\(count == 1 ? "1 message is a dead letter" : "\(count) messages are dead letters") now; "
                + "outbox dead-letter list says why")
    }

    /// The events that are written; nil: none.
    private var reported: Set<EventKind>? { self.eventsOf?.kinds ?? (self.events ? Set(EventKind.allCases) : nil) }

    private var delivery: DeliverySettings {
        var delivery = self.options.delivery
        if self.untilEmpty { delivery.breaker = .off }
        return delivery
    }

    private var logger: Logger {
        let format = self.logFormat
        var logger = Logger(label: "outbox.relay") { LineLogHandler(label: $0, format: format) }
        // What a check finds out stands in its lines.
        logger.logLevel = self.check ? max(self.logLevel.level, .error) : self.logLevel.level
        return logger
    }
}
