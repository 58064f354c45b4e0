public import Outbox

extension WebhookConfiguration {
    /// What a request is.
    public struct Request: Sendable {
        /// Default ``Method/post``.
        public var method: Method
        /// What the message is known by at the receiver, in `webhook-id`, `Idempotency-Key` and as the id of an event. Default `{id}`: its
        /// number in the outbox, the same at every attempt. It must contain `{id}`, and is ASCII without spaces and
        /// full stops. Where several outboxes send to one receiver, put
        /// something before it: `orders-{id}`.
        public var id: MessageTemplate
        /// The content's type, unless the message has a header `content-type`. Default `application/json`.
        public var contentType: String
        /// Headers of every request, such as `X-Tenant`, with places for what a message has. Never printed. Default none.
        public var headers: [String: MessageTemplate]
        /// Which of the message's headers are sent as headers of the request: names, `x-*` for those that begin so, `*` for all. Names
        /// that belong to the connection, to this transport or to who the sender is are never taken from a message. Default `traceparent` and
        /// `tracestate`: what else a message has may be meant for its own system only.
        public var messageHeaders: [String]
        /// What is put before the names of the message's headers, but for the trace context's. Default nothing.
        public var messageHeaderPrefix: String
        /// The name of the header with the id by which the receiver does what came twice only once; nil: none. Default
        /// `Idempotency-Key`.
        public var idempotencyHeader: String?
        /// The most bytes that a payload may have; one that has more is rejected. Default 10 MiB.
        public var maximumMessageSize: Int

        /// Creates settings; see the properties for the defaults.
        public init(
            method: Method = .post, id: MessageTemplate = "{id}", contentType: String = "application/json",
            headers: [String: MessageTemplate] = [:], messageHeaders: [String] = ["traceparent", "tracestate"],
            messageHeaderPrefix: String = "", idempotencyHeader: String? = "Idempotency-Key",
            maximumMessageSize: Int = 10 * 1024 * 1024
        ) {
            self.method = method
            self.id = id
            self.contentType = contentType
            self.headers = headers
            self.messageHeaders = messageHeaders
            self.messageHeaderPrefix = messageHeaderPrefix
            self.idempotencyHeader = idempotencyHeader
            self.maximumMessageSize = maximumMessageSize
        }
    }

    /// The method of a request.
    public struct Method: Sendable, Hashable {
        let name: String

        /// What receivers of webhooks expect.
        public static let post = Method(name: "POST")
        /// For addresses that have the message's id in them.
        public static let put = Method(name: "PUT")
    }

    /// How messages become events of CloudEvents 1.0.
    ///
    /// The message's headers named `ce-…` are attributes of its event, and have the last word.
    public struct CloudEvents: Sendable {
        /// How an event is sent. Default ``Mode/binary``.
        public var mode: Mode
        /// In which context events happened, a URI reference. Default `{destination}`. What comes from a message is percent-encoded.
        public var source: MessageTemplate
        /// What kind of event it is; nil, the default: the route, or the destination's name where there is no route.
        public var type: MessageTemplate?
        /// What the event is about; nil, the default: the key, where there is one.
        public var subject: MessageTemplate?
        /// The URI of the content's schema; nil, the default: none.
        public var dataSchema: MessageTemplate?

        /// Creates settings; see the properties for the defaults.
        public init(
            mode: Mode = .binary, source: MessageTemplate = "{destination}", type: MessageTemplate? = nil,
            subject: MessageTemplate? = nil, dataSchema: MessageTemplate? = nil
        ) {
            self.mode = mode
            self.source = source
            self.type = type
            self.subject = subject
            self.dataSchema = dataSchema
        }

        /// How an event is sent.
        public struct Mode: Sendable, Hashable {
            private enum Kind: Hashable { case binary, structured }
            private let kind: Kind

            /// The payload is the body; the attributes are headers.
            public static let binary = Mode(kind: .binary)
            /// The body is JSON that has the attributes and the payload.
            public static let structured = Mode(kind: .structured)
        }
    }
}

extension WebhookConfiguration.Request: CustomReflectable {
    /// Nothing: headers can have secrets.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
