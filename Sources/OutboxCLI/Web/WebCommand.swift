import ArgumentParser
import Foundation
import Logging
import Outbox
import OutboxPostgres
import OutboxRuntime
import UnixSignals

/// `outbox web`: a web page of the outbox.
struct WebCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "web",
        abstract: "Show the outbox as a web page: what waits, why, who delivers it, and what was given up.",
        discussion: """
            The page shows every destination of a subscription, its state and its last hour, the messages that were not delivered with their \
            errors, relays, the doctor's findings, and the log. It changes nothing unless --allow-changes is given, and shows no payloads \
            unless --show-payloads is.

            Without a password it listens to this machine alone. With one (OUTBOX_WEB_PASSWORD or --web-password-file) it can be reached \
            from elsewhere: by --listen 0.0.0.0:9465, better behind a proxy with TLS, since it has none. A name is asked for besides; it is any, \
            and stands in the log of changes. A relay that is given --listen has the same page.

            The role needs what “outbox schema --grants” gives a relay; that of a monitor sees all but messages.

            EXAMPLES:
              outbox web
              outbox web --listen :8080 --show-payloads --allow-changes
              OUTBOX_WEB_PASSWORD=$(cat secret) outbox web --listen 0.0.0.0:9465
            """)

    static let defaultAddress = ListenAddress(host: "127.0.0.1", port: 9465)

    @OptionGroup
    var server: ServerOptions

    @OptionGroup
    var subscription: SubscriptionOption

    @Option(
        help: ArgumentHelp(
            "Where it listens; without a host, as in “:8080”, to this machine alone; port 0 is one that is free. (default: \(Self.defaultAddress))",
            valueName: "address"),
        transform: ListenAddress.init(option:))
    var listen: ListenAddress?

    @OptionGroup
    var options: WebOptions

    func run() async throws {
        let layer = try self.server.layer
        let address = self.listen ?? Self.defaultAddress
        let settings = try self.options.settings(layer.web, environment: ProcessInfo.processInfo.environment)
        if !address.isLoopback, settings.password == nil {
            throw CommandFailure(
                .usage, "on \(address) the page needs a password: --web-password-file FILE, or OUTBOX_WEB_PASSWORD")
        }
        let schema = try self.server.schema
        // Errors that no patience can help are said at once.
        try await self.server.withConnection(application: "web") { connection in
            try await schema.checkVersion(on: connection)
        }
        let format = layer.logFormat ?? .text
        var logger = Logger(label: "outbox.web") { LineLogHandler(label: $0, format: format) }
        logger.logLevel = layer.logLevel ?? .info
        let looks = DatabaseLooks(
            target: LookTarget(
                server: try self.server.configuration(application: "web"), schema: schema,
                subscription: try self.subscription.name(self.server)),
            logger: logger)
        let web = WebPages(settings: settings, isLoopback: address.isLoopback, looks: looks, logger: logger)
        try await self.serve(web, looks, on: address, logger)
    }

    private func serve(_ web: WebPages, _ looks: DatabaseLooks, on address: ListenAddress, _ logger: Logger)
        async throws
    {
        let listener = Listener(
            address: address, logger: logger, guests: "browsers",
            exposure:
                "The page has no TLS: its password and what it shows can be read on the way, unless a proxy with TLS is before it"
        )
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            defer { tasks.cancelAll() }
            tasks.addTask { for await _ in signals { return } }
            tasks.addTask {
                await withTaskGroup(of: Void.self) { tasks in
                    tasks.addTask { await looks.run() }
                    tasks.addTask { await web.run() }
                    tasks.addTask { await listener.run(ListenerPages(web: web)) }
                    await tasks.waitForAll()
                }
            }
            let bound = try await listener.started()
            Terminal.error.print("the page is at http://\(bound)/")
            try await tasks.next()
        }
    }
}
