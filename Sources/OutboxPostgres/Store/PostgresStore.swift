public import Logging
public import Outbox
import OutboxSQL

/// The outbox in Postgres, as a relay reads it. A relay holds one connection.
public struct PostgresStore: RelayStore {
    /// How a relay learns that there is something to read.
    public struct Wakeup: Sendable, Hashable {
        package let pollingInterval: Duration?
        package let fallbackInterval: Duration?

        /// Producers NOTIFY when the relay sleeps. Needs a session of its own: a direct connection, or a pooler in
        /// session mode.
        ///
        /// - Parameter fallback: How often to look without having been notified. Nothing depends on it; nil: never.
        ///   At least 1 ms. Default 30 s.
        public static func notify(fallback: Duration? = .seconds(30)) -> Wakeup {
            precondition(fallback.map { $0 >= .milliseconds(1) } ?? true, "A relay looks every millisecond at most.")
            return Wakeup(pollingInterval: nil, fallbackInterval: fallback)
        }

        /// The relay looks at an interval, of at least 1 ms, and never listens.
        public static func polling(every interval: Duration) -> Wakeup {
            precondition(interval >= .milliseconds(1), "A relay polls every millisecond at most.")
            return Wakeup(pollingInterval: interval, fallbackInterval: nil)
        }
    }

    private let postgres: LibPQConfiguration
    private let schema: OutboxSchema
    private let wakeup: Wakeup
    private let segments: SegmentPolicy?
    private let streamsPerDestination: Int
    private let statements: Statements
    private let policy: Doorbell.Policy
    /// A thread of its own: nothing that an application's connections do delays a wake-up.
    private let loop = SocketLoop()

    /// Creates a store; nothing is connected before a relay runs.
    ///
    /// - Parameters:
    ///   - postgres: The server. Default: what the PG* environment says.
    ///   - schema: The outbox's schema. Default: "outbox".
    ///   - wakeup: How the relay learns that there is something to read. Default: by NOTIFY.
    ///   - segments: How long relays keep what was delivered. Default: 24 h. Nil: it leaves that
    ///     to others, see ``OutboxJanitor``.
    ///   - streamsPerDestination: How many streams a destination gets for which the subscription has none, 1 to 1024. Default: 1. Relays share
    ///     streams; those that there are stay as they are, see ``OutboxStreams/split(_:into:subscription:waitingFor:on:)``.
    public init(
        postgres: LibPQConfiguration, schema: OutboxSchema = OutboxSchema(), wakeup: Wakeup = .notify(),
        segments: SegmentPolicy? = SegmentPolicy(), streamsPerDestination: Int = 1
    ) {
        self.init(
            postgres: postgres, schema: schema, wakeup: wakeup, segments: segments,
            streamsPerDestination: streamsPerDestination, statements: schema.statements, policy: nil)
    }

    /// The same with other statements and another policy, for tests that break the design on purpose.
    init(
        postgres: LibPQConfiguration, schema: OutboxSchema, wakeup: Wakeup,
        segments: SegmentPolicy? = SegmentPolicy(), streamsPerDestination: Int = 1, statements: Statements,
        policy: Doorbell.Policy?
    ) {
        precondition((1...1024).contains(streamsPerDestination), "A destination has 1 to 1024 streams.")
        self.streamsPerDestination = streamsPerDestination
        self.postgres = postgres
        self.schema = schema
        self.wakeup = wakeup
        self.segments = segments
        self.statements = statements
        var policy = policy ?? Doorbell.Policy()
        policy.pollingInterval = wakeup.pollingInterval
        self.policy = policy
    }

    /// Connects, checks that the outbox is there and of the right version, and that the role may do what a relay does.
    ///
    /// - Throws: ``/Outbox/RelayError`` with the code ``/Outbox/RelayError/Code/connection``, ``/Outbox/RelayError/Code/unavailable``,
    ///   ``/Outbox/RelayError/Code/standby``, ``/Outbox/RelayError/Code/pooler``, ``/Outbox/RelayError/Code/login``,
    ///   ``/Outbox/RelayError/Code/databaseMissing``, ``/Outbox/RelayError/Code/schemaMissing``,
    ///   ``/Outbox/RelayError/Code/schemaUnversioned``, ``/Outbox/RelayError/Code/schemaTooOld``,
    ///   ``/Outbox/RelayError/Code/schemaTooNew``, ``/Outbox/RelayError/Code/privilege``, or
    ///   ``/Outbox/RelayError/Code/configuration`` where the connection's parameters are wrong.
    public func openSession(subscription: String, logger: Logger) async throws(RelayError) -> any RelaySession {
        var configuration = self.postgres
        configuration.parameters["fallback_application_name"] = "outbox relay"
        let connection: LibPQConnection
        do throws(LibPQError) {
            connection = try await LibPQConnection.connect(configuration, logger: logger, loop: self.loop)
        } catch {
            throw RelayError(error)
        }
        do {
            try await PoolerCheck(connection: connection, configuration: configuration, logger: logger)()
        } catch {
            await connection.close()
            throw RelayError(explaining: error)
        }
        let session = PostgresSession(
            connection: connection, subscription: subscription, schema: self.schema, statements: self.statements,
            wakeup: self.wakeup, segments: self.segments,
            streamsPerDestination: self.streamsPerDestination, policy: self.policy, logger: logger)
        return try await session.prepared()
    }
}
