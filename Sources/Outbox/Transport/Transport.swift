/// The way to a messaging system: takes batches of messages, and returns an outcome for each message.
///
/// ```swift
/// let bus = try AMQPTransport("amqp://localhost?exchange=orders")
/// let relay = Relay(postgres: postgres, routes: [.eventBus: .transport(bus)])
/// ```
///
/// The relay that has a transport in its routes runs it: ``run()`` begins before the first ``deliver(_:)``, ``close()``
/// follows the last one. One transport can serve several destinations. A failure on the other side must not end
/// ``run()``: one destination that is down would end the delivery to the others. Report it as an outcome.
///
/// `TransportConformance` in OutboxTesting checks these rules.
public protocol Transport: AnyObject, Sendable, CustomStringConvertible {
    /// Keeps what deliveries need, such as a connection that is made again whenever it is lost. Returns when ``close()`` has
    /// finished or the task is cancelled. When it is cancelled it returns at once, and everything in flight in
    /// ``deliver(_:)`` ends too.
    ///
    /// - Throws: An error that no retry can help and no outcome can express. It ends the relay.
    func run() async throws

    /// Waits until it is known whether messages can be handed to the other side: it has answered, or it is out of reach.
    ///
    /// After crashes, the relay delivers one message at a time and notes each one before its delivery. It calls this first, so that a
    /// process that is killed while it waits for the other side does not count as an attempt of the
    /// message. Any answer that is not up means ``Outcome/unavailable(_:)`` for the message, as ``deliver(_:)`` would say.
    ///
    /// Returns at the latest when ``deliver(_:)`` would give up waiting, and soon after its task was cancelled. The default says
    /// at once that the other side is up, which is right where a delivery makes its connection itself.
    func contact() async -> TransportHealth

    /// Tries, without sending a message, whether messages would arrive: the other side's name resolves, it can be connected to, it
    /// accepts the credentials, and it has what the messages go to, such as the queue, as far as the configuration names it.
    ///
    /// `outbox relay --check` calls this, while ``run()`` runs. It publishes nothing, and creates nothing that ``run()`` does not.
    ///
    /// - Returns: What was found, soon after the task was cancelled at the latest. Where it is not up, the reason says what is
    ///   wrong. The default is ``contact()``.
    func check() async -> TransportHealth

    /// What a batch may have at most. The default is no limit.
    ///
    /// Asked before each batch, so that it can change with what is learned of the other side. A transport that splits batches by itself, such
    /// as into requests that are sent side by side, does not need one.
    var batchLimit: BatchLimit { get }

    /// Delivers messages; called for several batches at the same time.
    ///
    /// An outcome is ``Outcome/delivered`` only if the other side has confirmed the message. Where the other side is out of
    /// reach it is ``Outcome/unavailable(_:)``, which counts no attempt; where it has refused this one message,
    /// ``Outcome/reject(_:)`` if it always will, else ``Outcome/retry(after:_:)``.
    ///
    /// Where the batch is ordered by key, a message must not take effect for the first time before an earlier one of its
    /// key has; what was not tried because of that is ``Outcome/behind``. ``BatchSchedule`` keeps both rules.
    ///
    /// It may wait for as long as the other side lets it (back-pressure), and returns soon after its task was cancelled.
    ///
    /// - Returns: An outcome for each message, in the order of the batch.
    /// - Throws: `CancellationError`. Any other error means the same retry for every message.
    func deliver(_ batch: MessageBatch) async throws -> [Outcome]

    /// Ends the transport gracefully: finishes the deliveries in flight, then closes the connection. Called
    /// while ``run()`` runs, when no more batches will come. A batch that comes later is ``Outcome/unavailable(_:)``.
    func close() async

    /// Whether messages can be delivered at the moment, as far as is known without trying.
    var health: TransportHealth { get }

    /// Whether the transport's own log says that the other side is out of reach, and why, before there is a message. Where it does not,
    /// which is the default, the relay asks for ``contact()`` when it begins, and warns.
    var logsItsContact: Bool { get }
}

extension Transport {
    /// Up, at once.
    public func contact() async -> TransportHealth { .up }

    /// As ``contact()``.
    public func check() async -> TransportHealth { await self.contact() }

    /// None.
    public var batchLimit: BatchLimit { .none }

    /// The relay warns.
    public var logsItsContact: Bool { false }
}

/// What is known of a transport's other side.
public struct TransportHealth: Sendable, Hashable, CustomStringConvertible {
    private enum State: Hashable {
        case starting
        case up
        case down
        case closed
    }

    private let state: State
    /// Why it is not up, where there is a reason. Without credentials.
    public let reason: String?

    /// Not connected yet, and nothing has failed yet.
    ///
    /// ``Transport/contact()`` waits for the end of this.
    public static let starting = TransportHealth(state: .starting, reason: nil)
    /// Messages can be delivered.
    public static let up = TransportHealth(state: .up, reason: nil)
    /// Closed for good.
    public static let closed = TransportHealth(state: .closed, reason: nil)

    /// Out of reach, or unwilling to take messages.
    public static func down(_ reason: String) -> TransportHealth { TransportHealth(state: .down, reason: reason) }

    /// Whether messages can be delivered.
    public var isUp: Bool { self.state == .up }

    /// The state and its reason.
    public var description: String {
        let state = "\(self.state)"
        return self.reason.map { "\(state): \($0)" } ?? state
    }
}
