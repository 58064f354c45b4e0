import ArgumentParser
import CoreMetrics
import Foundation
import Logging
import Outbox
import OutboxPostgres
import OutboxRuntime
import UnixSignals

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
            with the same id. With a --config, SIGHUP has it read again. SIGTERM and SIGINT let begun deliveries finish; a second SIGINT ends at once. When the \
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
              outbox relay --route '*=stdout' --listen :9464
              outbox relay --config /etc/outbox/outbox.yaml
              outbox relay --config outbox.yaml --check-config
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

    @Flag(
        help: """
            Read the configuration and the secrets that it names, say what is wrong with them or how each route is delivered, and end. \
            Nothing is connected.
            """)
    var checkConfig = false

    @Flag(help: "Print the JSON Schema of the configuration file, for editors, and end.")
    var configSchema = false

    @Option(
        help: ArgumentHelp(
            "trace, debug, info, notice, warning, error or critical. (default: info)", valueName: "level"),
        transform: LogLevelArgument.init(parsing:))
    var logLevel: LogLevelArgument?

    @Option(
        help: ArgumentHelp(
            "How lines of the log are written: text, json or logfmt. (default: text)", valueName: "format"))
    var logFormat: LogFormat?

    @Option(
        help: ArgumentHelp(
            """
            Where the relay answers to probes and scrapers by HTTP, /livez, /readyz and /metrics, and to browsers with the page of “outbox \
            web”. Without a host, as in “:9464”, to this machine alone; port 0 is one that is free, and is in the log. (default: nowhere)
            """, valueName: "address"),
        transform: ListenAddress.init(option:))
    var listen: ListenAddress?

    @OptionGroup
    var web: WebOptions

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
        // From the beginning: a hangup that comes while the relay starts is not its end.
        let readsAgain = self.server.configurationFile != nil && !self.untilEmpty
        let hangups = readsAgain ? await UnixSignalsSequence(trapping: .sighup) : nil
        if self.configSchema { return Terminal.output.print(ConfigurationSchema.text.dropLast(1).description) }
        let plan = try self.plan()
        let logger = self.logger(plan)
        let readerGone = Latch()
        let lines = LineWriters { readerGone.open() }
        var handlers = self.handlers(logger, lines)
        try handlers.check(plan.routes)
        if self.checkConfig { return PlanOutput.print(plan, file: self.server.configurationFile) }
        if self.check { return try await self.checkRoutes(plan.routes, &handlers) }
        for remark in plan.remarks { logger.warning("\(remark)") }
        let ends = await RelayRun.trapEnds(but: readsAgain)
        let schema = try self.server.schema(plan.server)
        let service = try self.metrics(plan, logger)
        let relay = try self.relay(plan, schema, &handlers, logger)
        var watch: BacklogWatch?
        if self.untilEmpty {
            let destinations = plan.routes.compactMap(\.destination)
            watch = BacklogWatch(
                server: self.server,
                subscription: plan.settings.subscription ?? RelaySettings.defaults.subscription,
                destinations: destinations.count < plan.routes.count ? nil : Set(destinations.map { Destination($0) }))
        }
        var again: (@Sendable () async throws -> RelaySuccession.Next)?
        if readsAgain {
            again = { try await self.relayAgain(logger, lines, service) }
        }
        let run = RelayRun(
            readerGone: readerGone, watch: watch, events: self.reported, logger: logger, service: service, again: again,
            hangups: hangups, ends: ends,
            manager: ServiceManager(environment: ProcessInfo.processInfo.environment))
        let last = try await run(relay) {
            // Connecting first reports at once the errors that no retry can help.
            try await self.server.withConnection(application: "relay", plan.server) { connection in
                try await schema.checkVersion(on: connection)
            }
        }
        if self.untilEmpty, !readerGone.isOpen { try Self.report(deadLetters: last.deadLetterCount) }
    }

    private func plan() throws -> RelayPlan {
        try RelayPlan(self, environment: ProcessInfo.processInfo.environment)
    }

    private func handlers(_ logger: Logger, _ lines: LineWriters) -> SinkHandlers {
        SinkHandlers(
            reportsDeliveries: self.reported?.contains(.delivered) ?? false, logger: logger, lines: lines)
    }

    /// The relay of a plan.
    ///
    /// - Throws: A ``CommandFailure`` where a file cannot be opened, or an address is wrong.
    private func relay(
        _ plan: RelayPlan, _ schema: OutboxSchema, _ handlers: inout SinkHandlers, _ logger: Logger
    ) throws -> Relay {
        var routes = RelayRoutes()
        for route in plan.routes {
            let handler = try handlers.handler(for: route.sink, settings: plan.delivery(of: route))
            if let destination = route.destination {
                routes[Destination(destination)] = handler
            } else {
                routes.others = handler
            }
        }
        return Relay(
            store: PostgresStore(
                postgres: try self.server.configuration(application: "relay", plan.server), schema: schema,
                wakeup: plan.wakeup, segments: plan.segments, streamsPerDestination: plan.streams),
            routes: routes, settings: plan.settings, logger: logger)
    }

    /// The relay of the file as it is now, whose log is the one that there is.
    private func relayAgain(
        _ logger: Logger, _ lines: LineWriters, _ service: RelayService?
    ) async throws -> RelaySuccession.Next {
        try self.server.layerAgain()
        let plan = try self.plan()
        var handlers = self.handlers(logger, lines)
        try handlers.check(plan.routes)
        let schema = try self.server.schema(plan.server)
        // A relay that cannot begin would end the process.
        try await self.server.withConnection(application: "relay", plan.server) { connection in
            try await schema.checkVersion(on: connection)
        }
        let relay = try self.relay(plan, schema, &handlers, logger)
        if plan.listen != service?.listener.address {
            logger.warning("What listen says holds for another process: this one goes on as it began")
        }
        for remark in plan.remarks { logger.warning("\(remark)") }
        let target = try self.target(plan)
        return RelaySuccession.Next(relay: relay) {
            service?.looks.follow(target)
            service?.web.follow(routes: plan.sinkNames, segments: plan.segments)
        }
    }

    /// What answers to probes and scrapers; nil: nothing does. From here on metrics are kept.
    private func metrics(_ plan: RelayPlan, _ logger: Logger) throws -> RelayService? {
        guard let address = plan.listen else { return nil }
        let registry = MetricsPage.registry()
        MetricsSystem.bootstrap(registry)
        let looks = DatabaseLooks(target: try self.target(plan), logger: logger)
        var settings = try self.web.settings(plan.web, environment: ProcessInfo.processInfo.environment)
        settings.segments = plan.segments
        settings.routes = plan.sinkNames
        return RelayService(
            listener: Listener(address: address, logger: logger), registry: registry, looks: looks,
            web: WebPages(settings: settings, isLoopback: address.isLoopback, looks: looks, logger: logger))
    }

    private func target(_ plan: RelayPlan) throws -> LookTarget {
        LookTarget(
            server: try self.server.configuration(application: "metrics", plan.server),
            schema: try self.server.schema(plan.server),
            subscription: plan.settings.subscription ?? RelaySettings.defaults.subscription)
    }

    private func checkRoutes(_ arguments: [RouteArgument], _ handlers: inout SinkHandlers) async throws {
        var routes: [(name: String, sink: Sink, transport: (any Transport)?)] = []
        for route in arguments {
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

    private func logger(_ plan: RelayPlan) -> Logger {
        let format = plan.logFormat
        var logger = Logger(label: "outbox.relay") { LineLogHandler(label: $0, format: format) }
        // What a check finds out stands in its lines.
        logger.logLevel = self.check || self.checkConfig ? max(plan.logLevel, .error) : plan.logLevel
        return logger
    }
}
