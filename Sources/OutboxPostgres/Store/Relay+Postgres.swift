public import Logging
public import Outbox

extension Relay {
    /// Creates a relay for an outbox in Postgres; ``/Outbox/Relay/run()`` makes it work.
    ///
    /// - Parameters:
    ///   - postgres: The server, and the role: see ``OutboxSchema/grants(producer:relay:monitor:)``.
    ///   - outbox: The outbox's schema. Default: "outbox".
    ///   - routes: Which destinations to deliver, and how.
    ///   - settings: How to read, commit and end.
    ///   - segments: How long what was delivered is kept. Default: 24 h. Nil: this relay removes nothing from the log.
    ///   - logger: Where the relay reports. Default: a logger with the label "outbox.relay".
    public convenience init(
        postgres: LibPQConfiguration, outbox: OutboxSchema = OutboxSchema(), routes: RelayRoutes,
        settings: RelaySettings = RelaySettings(), segments: SegmentPolicy? = SegmentPolicy(),
        logger: Logger = Logger(label: "outbox.relay")
    ) {
        self.init(
            store: PostgresStore(postgres: postgres, schema: outbox, segments: segments), routes: routes,
            settings: settings, logger: logger)
    }
}
