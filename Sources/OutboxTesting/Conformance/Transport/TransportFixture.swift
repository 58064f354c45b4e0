public import Outbox

/// A transport's other side for one check: what has arrived there, and what can go wrong with it.
///
/// Every check wants a fixture of its own, where nothing has arrived yet.
public protocol TransportFixture: Sendable {
    /// A new transport to this fixture's other side. The check runs and closes it.
    func makeTransport() async throws -> any Transport

    /// What has arrived, in the order of arrival, repetitions included: everything that was confirmed, at least.
    func received() async throws -> [ReceivedMessage]

    /// Changes a message in such a way that the other side refuses it, alone, every time. It never arrives.
    func refused(_ message: NewMessage) -> NewMessage

    /// A payload that is longer than the transport or its other side takes, and that never will be taken; nil: there is no
    /// limit below what an outbox takes.
    var oversizedPayload: [UInt8]? { get }

    /// How many bytes a payload has that is long for the other side, and that it takes. Default 300,000.
    var longPayloadLength: Int { get }

    /// Breaks the transport's connections without its help. New ones can be made at once. Returns when they are broken.
    func cutConnections() async throws

    /// Takes the other side out of reach, with what is on its way to it.
    func stop() async throws

    /// Brings the other side back after ``stop()``, with what has arrived.
    func start() async throws

    /// How long a check waits for what should happen soon, before it calls that a failure. Default 30 s.
    var patience: Duration { get }

    /// How many connections are broken in the check for leaks. Default 1,000.
    var reconnects: Int { get }
}

extension TransportFixture {
    /// 300,000.
    public var longPayloadLength: Int { 300_000 }

    /// 30 s.
    public var patience: Duration { .seconds(30) }

    /// 1,000.
    public var reconnects: Int { 1000 }
}

/// A message as it arrived on a transport's other side.
public struct ReceivedMessage: Sendable, Hashable {
    /// The content.
    public let payload: [UInt8]
    /// The key, where the other side is told it.
    public let key: String?
    /// The headers, those that the transport has added among them; nil where the other side is told none.
    public let headers: [String: String]?

    /// Creates the description of a message.
    public init(payload: [UInt8], key: String? = nil, headers: [String: String]? = nil) {
        self.payload = payload
        self.key = key
        self.headers = headers
    }
}
