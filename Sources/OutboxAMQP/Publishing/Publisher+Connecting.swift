import Logging
import Outbox
import OutboxRuntime

extension Publisher {
    /// Tries every host once.
    func connect() {
        let hosts = self.configuration.hosts
        let first = self.configuration.hostOrder.isRandom ? Int.random(in: hosts.indices) : 0
        var reasons: [String] = []
        for host in hosts[first...] + hosts[..<first] {
            do throws(ConnectionLoss) {
                try self.connect(to: host)
                return
            } catch {
                self.drop()
                reasons.append("\(host): \(error.reason)")
            }
        }
        // In an order that does not change with the host that was tried first: the same reason is the same text.
        let reason = reasons.sorted().joined(separator: "; ")
        self.trouble = reason
        self.mailbox.report(.down(reason))
        self.nextAttempt = .now + self.reconnects.failed(random: .random(in: 0...1))
        // Before there is a message, nothing else would say it.
        let isNews = self.saidReason != reason
        self.saidReason = reason
        self.logger.log(
            level: isNews ? .warning : .debug,
            "RabbitMQ cannot be used; messages wait in the outbox, and it is tried again",
            metadata: [LogKey.reason: "\(reason)"])
    }

    private func connect(to host: AMQPConfiguration.Host) throws(ConnectionLoss) {
        let mailbox = self.mailbox
        let connection = try BrokerConnection(to: host, self.configuration) { mailbox.use(socket: $0) }
        self.terms = connection.terms
        self.connection = consume connection
        self.channels = ChannelTable()
        _ = self.channels.lookUp(self.configuration.exchange.name)
        do throws(BrokerConnection.RequestError) {
            try self.connection!.openChannel(ChannelTable.configured)
            try self.connection!.declareTopology(self.configuration, on: ChannelTable.configured)
        } catch {
            switch error {
            case .connection(let loss): throw loss
            case .channel(let fault):
                guard self.configuration.declaresSomething else { throw ConnectionLoss(reason: fault.reason) }
                throw ConnectionLoss(reason: "what is to be declared is refused: \(fault.reason)")
            }
        }
        try self.findTopology()
        self.channels[ChannelTable.configured].isOpen = true
        self.connectedAt = .now
        self.hasServed = false
        self.trouble = nil
        self.mailbox.report(.up)
        self.logger.log(
            level: self.saidReason == nil ? .debug : .notice, "Connected to RabbitMQ",
            metadata: [LogKey.host: "\(host)"])
        self.saidReason = nil
    }

    /// Says what is missing, before there is a message for it. That is no reason not to connect: a message may name another exchange,
    /// and what is missing may be there before the first one.
    private func findTopology() throws(ConnectionLoss) {
        do throws(BrokerConnection.RequestError) {
            do throws(BrokerConnection.RequestError) {
                try self.connection!.findTopology(self.configuration, on: ChannelTable.configured)
                self.saidMissing = nil
            } catch {
                guard case .channel(let fault) = error else { throw error }
                if fault.code == 404, self.saidMissing != fault.reason {
                    self.saidMissing = fault.reason
                    self.logger.warning(
                        "RabbitMQ does not have what messages go to; they wait in the outbox, or are tried again",
                        metadata: [LogKey.reason: "\(fault.reason)"])
                }
                try self.connection!.openChannel(ChannelTable.configured)
            }
        } catch {
            switch error {
            case .connection(let loss): throw loss
            case .channel(let fault): throw ConnectionLoss(reason: fault.reason)
            }
        }
    }

    /// The connection cannot be used any more.
    func lose(_ loss: ConnectionLoss) {
        self.logger.debug("The connection is lost", metadata: [LogKey.reason: "\(loss.reason)"])
        let entries = self.channels.channels.flatMap { channel in
            var channel = channel
            return channel.window.removeAll()
        }
        if loss.isBlamedOnMessage {
            for entry in entries { self.settle(entry.job, entry.index, .retry(loss.reason)) }
        }
        self.drop()
        self.trouble = loss.reason
        self.mailbox.report(.down(loss.reason))
        self.settleAll(.unavailable(loss.reason))
        let hasLasted = .now - self.connectedAt > self.configuration.connection.maximumDelay
        self.nextAttempt =
            .now + self.reconnects.lost(hasServed: self.hasServed || hasLasted, random: .random(in: 0...1))
    }

    func takeLeave() {
        // While the broker does not read, it does not answer.
        let limit = self.isBlocked ? Duration.milliseconds(200) : .seconds(2)
        self.mailbox.use(socket: -1)
        self.connection.take()?.close(within: limit)
    }

    private func drop() {
        self.mailbox.use(socket: -1)
        self.connection = nil
        self.channels = ChannelTable()
        self.unconfirmed = 0
        self.unfinished = nil
        self.isBlocked = false
        self.isWaitingForRoom = false
        self.room = 0
    }
}
