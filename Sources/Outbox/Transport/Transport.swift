/// The way to a messaging system: takes batches of messages, and says of each what became of it.
///
/// ```swift
/// let bus = try AMQPTransport("amqp://localhost?exchange=orders")
/// let relay = Relay(postgres: postgres, routes: [.eventBus: .transport(bus)])
/// ```
///
/// The relay that has a transport in its routes runs it: ``run()`` begins before the first ``deliver(_:)``, ``close()``
/// follows the last one. One transport can serve several destinations. Nothing that goes wrong on the other side may end
/// ``run()``, or one destination that is down would end the delivery to the others: it is what the outcomes are for.
///
/// `TransportConformance` in OutboxTesting checks what is said here.
public protocol Transport: AnyObject, Sendable, CustomStringConvertible {
    /// Holds what deliveries need, such as a connection that is made again whenever it is lost, until ``close()`` has
    /// finished or the task is cancelled. A cancelled transport returns at once, and everything that is under way in
    /// ``deliver(_:)`` ends too.
    ///
    /// - Throws: What no trying again can help and no outcome can tell. It ends the relay.
    func run() async throws

    /// Waits until it is known whether messages can be handed to the other side: it has answered, or it is out of reach.
    ///
    /// After processes have ended in the middle of their work, the relay delivers one message at a time and notes each before it
    /// does. It asks here first, so that a process which is killed while it waits for the other side is not held against the
    /// message. Any answer that is not up means ``Outcome/unavailable(_:)`` for the message, as ``deliver(_:)`` would say.
    ///
    /// Returns at the latest when ``deliver(_:)`` would give up waiting, and soon after its task was cancelled. The default says
    /// at once that the other side is up, which is right where a delivery makes its connection itself.
    func contact() async -> TransportHealth

    /// Delivers messages; called for several batches at the same time.
    ///
    /// An outcome is ``Outcome/delivered`` only if the other side has confirmed the message. Where the other side is out of
    /// reach it is ``Outcome/unavailable(_:)``, which counts no attempt; where it has refused this one message,
    /// ``Outcome/reject(_:)`` if it always will, else ``Outcome/retry(after:_:)``.
    ///
    /// Where the batch is ordered by key, a message must not take effect for the first time before an earlier one of its
    /// key has; what was not tried because of that is ``Outcome/behind``. ``BatchSchedule`` sees to both.
    ///
    /// It may wait for as long as the other side lets it (back-pressure), and returns soon after its task was cancelled.
    ///
    /// - Returns: An outcome for each message, in the order of the batch.
    /// - Throws: `CancellationError`. Any other error means the same retry for every message.
    func deliver(_ batch: MessageBatch) async throws -> [Outcome]

    /// Ends the transport in good order: what is under way is finished, the other side is taken leave of. Called
    /// while ``run()`` runs, when no more batches will come; what comes all the same is ``Outcome/unavailable(_:)``.
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
