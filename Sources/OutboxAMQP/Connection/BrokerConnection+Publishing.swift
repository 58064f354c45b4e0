import CRabbitMQ
import Outbox

/// What is left to be sent of a message that takes several frames.
struct UnfinishedBody {
    let message: Message
    let channel: UInt16
    let count: Int
    var sent = 0
}

extension BrokerConnection {
    /// Publishes a message. The body of a long one is left to be sent.
    mutating func publish(
        _ message: Message, as publication: Publication, exchange: String, isMandatory: Bool, on channel: UInt16
    ) throws(ConnectionLoss) -> UnfinishedBody? {
        self.arena.reset()
        var properties = unsafe self.properties(publication)
        let exchange = unsafe self.arena.bytes(exchange)
        let routingKey = unsafe self.arena.bytes(publication.routingKey)
        let longest = self.terms.frameSize - 8
        let state = unsafe self.state
        let (status, count) = unsafe message.withPayload { payload -> (CInt, Int) in
            guard payload.count <= longest else { return (0, payload.count) }
            let body = unsafe amqp_bytes_t(
                len: payload.count, bytes: UnsafeMutableRawPointer(mutating: payload.baseAddress))
            let status = unsafe amqp_basic_publish(
                state, channel, exchange, routingKey, isMandatory ? 1 : 0, 0, &properties, body)
            return (status, 0)
        }
        try check(status)
        if count == 0 { return nil }
        // Frame by frame, so that the thread can see to something else in between.
        var method = unsafe amqp_basic_publish_t()
        unsafe method.exchange = exchange
        unsafe method.routing_key = routingKey
        unsafe method.mandatory = isMandatory ? 1 : 0
        try check(unsafe amqp_send_method(state, channel, UInt32(OUTBOX_AMQP_BASIC_PUBLISH.rawValue), &method))
        var frame = unsafe amqp_frame_t()
        unsafe frame.frame_type = UInt8(AMQP_FRAME_HEADER)
        unsafe frame.channel = channel
        unsafe frame.payload.properties.class_id = UInt16(AMQP_BASIC_CLASS)
        unsafe frame.payload.properties.body_size = UInt64(count)
        let headerStatus = unsafe withUnsafeMutablePointer(to: &properties) { properties in
            unsafe frame.payload.properties.decoded = UnsafeMutableRawPointer(properties)
            return unsafe amqp_send_frame(state, &frame)
        }
        try check(headerStatus)
        return UnfinishedBody(message: message, channel: channel, count: count)
    }

    /// Sends one more frame.
    ///
    /// - Returns: Whether that was the last one.
    mutating func sendFrame(of body: inout UnfinishedBody) throws(ConnectionLoss) -> Bool {
        let count = min(self.terms.frameSize - 8, body.count - body.sent)
        let (start, channel, state) = unsafe (body.sent, body.channel, self.state)
        let status = unsafe body.message.withPayload { payload in
            var frame = unsafe amqp_frame_t()
            unsafe frame.frame_type = UInt8(AMQP_FRAME_BODY)
            unsafe frame.channel = channel
            unsafe frame.payload.body_fragment = amqp_bytes_t(
                len: count, bytes: UnsafeMutableRawPointer(mutating: payload.baseAddress! + start))
            return unsafe amqp_send_frame(state, &frame)
        }
        try check(status)
        body.sent += count
        return body.sent == body.count
    }

    private mutating func properties(_ publication: Publication) -> amqp_basic_properties_t {
        var properties = unsafe amqp_basic_properties_t()
        var flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TIMESTAMP_FLAG
        unsafe properties.delivery_mode = publication.isPersistent ? 2 : 1
        unsafe properties.message_id = self.arena.bytes(publication.messageID)
        unsafe properties.timestamp = publication.timestamp
        if let text = publication.contentType {
            flags |= AMQP_BASIC_CONTENT_TYPE_FLAG
            unsafe properties.content_type = self.arena.bytes(text)
        }
        if let text = publication.type {
            flags |= AMQP_BASIC_TYPE_FLAG
            unsafe properties.type = self.arena.bytes(text)
        }
        if let text = publication.correlationID {
            flags |= AMQP_BASIC_CORRELATION_ID_FLAG
            unsafe properties.correlation_id = self.arena.bytes(text)
        }
        if let text = publication.replyTo {
            flags |= AMQP_BASIC_REPLY_TO_FLAG
            unsafe properties.reply_to = self.arena.bytes(text)
        }
        if let text = publication.applicationID {
            flags |= AMQP_BASIC_APP_ID_FLAG
            unsafe properties.app_id = self.arena.bytes(text)
        }
        if let priority = publication.priority {
            flags |= AMQP_BASIC_PRIORITY_FLAG
            unsafe properties.priority = priority
        }
        if let text = publication.expiration {
            flags |= AMQP_BASIC_EXPIRATION_FLAG
            unsafe properties.expiration = self.arena.bytes(text)
        }
        if !publication.headers.isEmpty {
            flags |= AMQP_BASIC_HEADERS_FLAG
            unsafe properties.headers = self.arena.table(publication.headers)
        }
        unsafe properties._flags = UInt32(flags)
        return unsafe properties
    }
}
