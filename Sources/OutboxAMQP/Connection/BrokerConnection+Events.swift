import CRabbitMQ

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What the broker says without being asked.
enum BrokerEvent {
    case confirmed(channel: UInt16, tag: UInt64, isMultiple: Bool)
    case refused(channel: UInt16, tag: UInt64, isMultiple: Bool)
    case returned(channel: UInt16, messageID: String, reason: String)
    case channelClosed(channel: UInt16, ChannelFault)
    case blocked(reason: String)
    case unblocked
    /// Nothing that concerns a publisher.
    case other
}

/// A returned message, of which the broker sends everything again. Only its id is of interest.
struct ReturnedContent {
    let reason: String
    var messageID: String?
    var missingBytes: UInt64 = 0
}

extension BrokerConnection {
    /// The next thing that has come, if something has. Sends a sign of life when one is due.
    mutating func nextEvent() throws(ConnectionLoss) -> BrokerEvent? {
        var frame = unsafe amqp_frame_t()
        var timeout = timeval()
        let status = unsafe amqp_simple_wait_frame_noblock(self.state, &frame, &timeout)
        if status == AMQP_STATUS_TIMEOUT.rawValue { return nil }
        try check(status)
        switch CInt(unsafe frame.frame_type) {
        case AMQP_FRAME_METHOD: return try unsafe self.event(frame.payload.method, frame.channel)
        case AMQP_FRAME_HEADER: return unsafe self.headerEvent(frame)
        case AMQP_FRAME_BODY: return unsafe self.bodyEvent(frame.channel, frame.payload.body_fragment.len)
        default: return .other
        }
    }

    /// Gives back the memory of what has come. Nothing that an event holds points there.
    mutating func releaseBuffers() {
        unsafe amqp_maybe_release_buffers(self.state)
    }

    private mutating func event(_ method: amqp_method_t, _ channel: UInt16) throws(ConnectionLoss) -> BrokerEvent {
        guard let decoded = unsafe method.decoded else { return .other }
        switch unsafe outbox_amqp_method(rawValue: method.id) {
        case OUTBOX_AMQP_BASIC_ACK:
            let ack = unsafe decoded.assumingMemoryBound(to: amqp_basic_ack_t.self).pointee
            return .confirmed(channel: channel, tag: ack.delivery_tag, isMultiple: ack.multiple != 0)
        case OUTBOX_AMQP_BASIC_NACK:
            let nack = unsafe decoded.assumingMemoryBound(to: amqp_basic_nack_t.self).pointee
            return .refused(channel: channel, tag: nack.delivery_tag, isMultiple: nack.multiple != 0)
        case OUTBOX_AMQP_BASIC_RETURN:
            let method = unsafe decoded.assumingMemoryBound(to: amqp_basic_return_t.self).pointee
            let reason = unsafe "\(method.reply_code) \(String(method.reply_text))"
            self.returns[channel] = ReturnedContent(reason: reason)
            return .other
        case OUTBOX_AMQP_CHANNEL_CLOSE:
            let method = unsafe decoded.assumingMemoryBound(to: amqp_channel_close_t.self).pointee
            return .channelClosed(channel: channel, unsafe self.closed(channel, by: method))
        case OUTBOX_AMQP_CONNECTION_CLOSE:
            let method = unsafe decoded.assumingMemoryBound(to: amqp_connection_close_t.self).pointee
            throw unsafe Self.closed(by: method, self.state)
        case OUTBOX_AMQP_CONNECTION_BLOCKED:
            let method = unsafe decoded.assumingMemoryBound(to: amqp_connection_blocked_t.self).pointee
            return .blocked(reason: unsafe String(method.reason))
        case OUTBOX_AMQP_CONNECTION_UNBLOCKED:
            return .unblocked
        default:
            return .other
        }
    }

    private mutating func headerEvent(_ frame: amqp_frame_t) -> BrokerEvent {
        let header = unsafe frame.payload.properties
        let channel = unsafe frame.channel
        guard self.returns[channel] != nil, let decoded = unsafe header.decoded else { return .other }
        let properties = unsafe decoded.assumingMemoryBound(to: amqp_basic_properties_t.self)
        let hasID = unsafe properties.pointee._flags & UInt32(AMQP_BASIC_MESSAGE_ID_FLAG) != 0
        self.returns[channel]?.messageID = hasID ? unsafe String(properties.pointee.message_id) : ""
        self.returns[channel]?.missingBytes = unsafe header.body_size
        return self.finishReturn(channel)
    }

    private mutating func bodyEvent(_ channel: UInt16, _ count: Int) -> BrokerEvent {
        guard let content = self.returns[channel] else { return .other }
        self.returns[channel]?.missingBytes = content.missingBytes - min(content.missingBytes, UInt64(count))
        return self.finishReturn(channel)
    }

    private mutating func finishReturn(_ channel: UInt16) -> BrokerEvent {
        guard let content = self.returns[channel], let messageID = content.messageID, content.missingBytes == 0 else {
            return .other
        }
        self.returns[channel] = nil
        return .returned(channel: channel, messageID: messageID, reason: content.reason)
    }
}
