#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// A message to be enqueued.
///
/// ```swift
/// try await outbox.enqueue(
///     NewMessage(to: .eventBus, route: "order.created", key: order.id, json: OrderCreated(order)),
///     in: transaction)
/// ```
public struct NewMessage: Sendable, Hashable {
    /// The messaging system that it is for: 1 to 255 bytes.
    public var destination: Destination
    /// Topic, queue, routing key or path inside the destination: 1 to 1024 bytes, or nil.
    public var route: String?
    /// Messages with the same key are delivered in the order of their commits: 1 to 1024 bytes, or nil for no order.
    public var key: String?
    /// Enqueued again within the outbox's window, a day by default, a message with the same idempotency key for the same
    /// destination is not enqueued: the first one's id is returned, whatever else differs. 1 to 1024 bytes, or nil. It is
    /// not delivered with the message.
    public var idempotencyKey: String?
    /// Names and values that go with the payload. The current trace context is added when the message is enqueued.
    public var headers: [String: String]
    /// Not delivered before that time; nil: at once.
    public var deliverAt: Date?
    /// Overrides of the destination's retry strategy for this message.
    public var options: MessageOptions
    /// The content, any bytes.
    public var payload: [UInt8]

    /// Creates a message with any bytes as its payload.
    public init(
        to destination: Destination, route: String? = nil, key: String? = nil, idempotencyKey: String? = nil,
        headers: [String: String] = [:], deliverAt: Date? = nil, options: MessageOptions = MessageOptions(),
        payload: [UInt8]
    ) {
        self.destination = destination
        self.route = route
        self.key = key
        self.idempotencyKey = idempotencyKey
        self.headers = headers
        self.deliverAt = deliverAt
        self.options = options
        self.payload = payload
    }

    /// Creates a message with any bytes as its payload, from `Data`, a `ByteBuffer`'s view or whatever else is a sequence of them.
    public init(
        to destination: Destination, route: String? = nil, key: String? = nil, idempotencyKey: String? = nil,
        headers: [String: String] = [:], deliverAt: Date? = nil, options: MessageOptions = MessageOptions(),
        payload: some Sequence<UInt8>
    ) {
        self.init(
            to: destination, route: route, key: key, idempotencyKey: idempotencyKey, headers: headers,
            deliverAt: deliverAt, options: options, payload: Array(payload))
    }

    /// Creates a message with a text, in UTF-8, as its payload.
    public init(
        to destination: Destination, route: String? = nil, key: String? = nil, idempotencyKey: String? = nil,
        headers: [String: String] = [:], deliverAt: Date? = nil, options: MessageOptions = MessageOptions(),
        text: String
    ) {
        self.init(
            to: destination, route: route, key: key, idempotencyKey: idempotencyKey, headers: headers,
            deliverAt: deliverAt, options: options, payload: Array(text.utf8))
    }

    /// Creates a message with a value encoded as JSON as its payload.
    ///
    /// - Throws: What the encoder throws.
    public init(
        to destination: Destination, route: String? = nil, key: String? = nil, idempotencyKey: String? = nil,
        headers: [String: String] = [:], deliverAt: Date? = nil, options: MessageOptions = MessageOptions(),
        json value: some Encodable, encoder: JSONEncoder = JSONEncoder()
    ) throws {
        self.init(
            to: destination, route: route, key: key, idempotencyKey: idempotencyKey, headers: headers,
            deliverAt: deliverAt, options: options, payload: Array(try encoder.encode(value)))
    }
}
