import CRabbitMQ
import Outbox

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension BrokerConnection {
    /// What goes wrong with a request on a channel.
    enum RequestError: Error {
        case channel(ChannelFault)
        case connection(ConnectionLoss)
    }

    /// Opens a channel in confirm mode.
    mutating func openChannel(_ channel: UInt16) throws(RequestError) {
        unsafe _ = amqp_channel_open(self.state, channel)
        try self.checkReply(channel)
        unsafe _ = amqp_confirm_select(self.state, channel)
        try self.checkReply(channel)
    }

    mutating func closeChannel(_ channel: UInt16) throws(RequestError) {
        let reply = unsafe amqp_channel_close(self.state, channel, 200)
        try unsafe self.check(reply, channel)
    }

    /// Declares what the configuration says, and binds it.
    mutating func declareTopology(_ configuration: AMQPConfiguration, on channel: UInt16) throws(RequestError) {
        self.arena.reset()
        let exchange = unsafe self.arena.bytes(configuration.exchange.name)
        if let declaration = configuration.exchange.declaration {
            unsafe _ = amqp_exchange_declare(
                self.state, channel, exchange, self.arena.bytes(declaration.type), 0, declaration.isDurable ? 1 : 0,
                declaration.isAutoDeleted ? 1 : 0, declaration.isInternal ? 1 : 0,
                self.arena.table(declaration.arguments))
            try self.checkReply(channel)
        }
        for queue in configuration.queues {
            let name = unsafe self.arena.bytes(queue.name)
            unsafe _ = amqp_queue_declare(
                self.state, channel, name, 0, queue.isDurable ? 1 : 0, 0, queue.isAutoDeleted ? 1 : 0,
                self.arena.table(queue.arguments))
            try self.checkReply(channel)
            for key in queue.bindingKeys {
                unsafe _ = amqp_queue_bind(
                    self.state, channel, name, exchange, self.arena.bytes(key), amqp_empty_table)
                try self.checkReply(channel)
            }
        }
    }

    /// Looks for what messages are published to and is not declared here: the exchange, or the queue that all of them go to.
    mutating func findTopology(_ configuration: AMQPConfiguration, on channel: UInt16) throws(RequestError) {
        self.arena.reset()
        let exchange = configuration.exchange
        if !exchange.name.isEmpty {
            if exchange.declaration != nil { return }
            unsafe _ = amqp_exchange_declare(
                self.state, channel, self.arena.bytes(exchange.name), self.arena.bytes("direct"), 1, 0, 0, 0,
                amqp_empty_table)
            return try self.checkReply(channel)
        }
        guard let queue = configuration.publishing.routingKey.constant, !queue.isEmpty,
            !configuration.queues.contains(where: { $0.name == queue })
        else { return }
        unsafe _ = amqp_queue_declare(self.state, channel, self.arena.bytes(queue), 1, 0, 0, 0, amqp_empty_table)
        try self.checkReply(channel)
    }

    /// Takes leave of the broker, which may take as long as `limit`.
    consuming func close(within limit: Duration) {
        var timeout = timeval(limit)
        unsafe _ = amqp_set_rpc_timeout(self.state, &timeout)
        unsafe _ = amqp_connection_close(self.state, 200)
    }

    private mutating func checkReply(_ channel: UInt16) throws(RequestError) {
        let reply = unsafe amqp_get_rpc_reply(self.state)
        try unsafe self.check(reply, channel)
        unsafe amqp_maybe_release_buffers_on_channel(self.state, channel)
    }

    private mutating func check(_ reply: amqp_rpc_reply_t, _ channel: UInt16) throws(RequestError) {
        if unsafe reply.reply_type == AMQP_RESPONSE_NORMAL { return }
        let isChannelClosed =
            unsafe reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION
            && reply.reply.id == UInt32(OUTBOX_AMQP_CHANNEL_CLOSE.rawValue)
        guard isChannelClosed, let decoded = unsafe reply.reply.decoded else {
            throw .connection(unsafe Self.loss(reply, self.state))
        }
        let method = unsafe decoded.assumingMemoryBound(to: amqp_channel_close_t.self).pointee
        throw .channel(unsafe self.closed(channel, by: method))
    }

    /// The broker has closed a channel. Acknowledges that, so that the channel can be opened again.
    mutating func closed(_ channel: UInt16, by method: amqp_channel_close_t) -> ChannelFault {
        let fault = unsafe ChannelFault(code: Int(method.reply_code), text: String(method.reply_text))
        self.returns[channel] = nil
        var answer = amqp_channel_close_ok_t()
        unsafe _ = amqp_send_method(self.state, channel, UInt32(OUTBOX_AMQP_CHANNEL_CLOSE_OK.rawValue), &answer)
        return fault
    }
}
