import Logging
import Outbox
import OutboxRuntime

extension Publisher {
    /// Hands out all the news that has come.
    func receive() throws(ConnectionLoss) {
        var count = 0
        while let event = try self.connection!.nextEvent() {
            try self.handle(event)
            count += 1
            if count % 64 == 0 { self.connection!.releaseBuffers() }
        }
        self.connection!.releaseBuffers()
    }

    private func handle(_ event: BrokerEvent) throws(ConnectionLoss) {
        switch event {
        case .confirmed(let channel, let tag, let isMultiple):
            self.confirm(channel, tag, isMultiple, refusal: nil)
        case .refused(let channel, let tag, let isMultiple):
            self.confirm(channel, tag, isMultiple, refusal: .nacked)
        case .returned(let channel, let messageID, let reason):
            self.markReturned(channel, messageID, reason)
        case .channelClosed(let channel, let fault):
            try self.channelClosed(channel, fault)
        case .blocked(let reason):
            self.block("blocked by the broker: \(reason)")
        case .unblocked:
            self.unblock()
        case .other:
            break
        }
    }

    private func confirm(_ channel: UInt16, _ tag: UInt64, _ isMultiple: Bool, refusal: Refusal?) {
        guard self.channels.contains(channel) else { return }
        self.channels[channel].window.confirm(tag, isMultiple: isMultiple, into: &self.confirmations)
        self.channels[channel].isRedeclared = false
        self.hasServed = true
        for confirmation in self.confirmations {
            self.unconfirmed -= 1
            let entry = confirmation.entry
            let outcome = self.outcome(of: entry, refusal ?? confirmation.returned.map(Refusal.returned))
            if case .unavailable(let reason) = outcome.kind {
                self.report(trouble: reason)
            } else if self.trouble != nil, !self.isBlocked {
                self.trouble = nil
                self.mailbox.report(.up)
            }
            self.settle(entry.job, entry.index, outcome)
        }
        self.confirmations.removeAll(keepingCapacity: true)
    }

    private func outcome(of entry: Unconfirmed, _ refusal: Refusal?) -> Outcome {
        guard let refusal else { return .delivered }
        let unroutable = self.configuration.publishing.unroutable
        if case .returned = refusal, entry.delay == .possible, unroutable.kind == .retried {
            self.warnOfDelay()
            return .delivered
        }
        return refusal.outcome(isAddressFixed: entry.isAddressFixed, unroutable: unroutable)
    }

    private func warnOfDelay() {
        if self.hasWarnedOfDelay { return }
        self.hasWarnedOfDelay = true
        self.logger.warning(
            """
            The broker has returned a message with the header x-delay as unroutable, which an exchange that delays messages does \
            although it keeps them: it counts as delivered. If the exchange is of another type, such messages are lost; declare its \
            type to have them tried again
            """)
    }

    private func markReturned(_ channel: UInt16, _ messageID: String, _ reason: String) {
        guard self.channels.contains(channel) else { return }
        let template = self.configuration.publishing.messageID
        let isKnown = self.channels[channel].window.markReturned(reason) { entry in
            (try? template.text(for: entry.job.batch[entry.index])) == messageID
        }
        if !isKnown { self.logger.warning("The broker has returned a message that is not known") }
    }

    // MARK: Channels that the broker closes

    private func channelClosed(_ number: UInt16, _ fault: ChannelFault) throws(ConnectionLoss) {
        guard self.channels.contains(number) else { return }
        self.logger.debug("The broker has closed a channel", metadata: [LogKey.reason: "\(fault.reason)"])
        let entries = self.channels[number].window.removeAll()
        self.unconfirmed -= entries.count
        self.channels[number].isOpen = false
        if self.unfinished?.channel == number { self.unfinished = nil }
        let channel = self.channels[number]
        let remedy = fault.remedy(
            unconfirmed: entries.count, isOverride: channel.isOverride,
            isAddressFixed: entries.allSatisfy(\.isAddressFixed),
            canRedeclare: self.configuration.declaresSomething && !channel.isRedeclared)
        switch remedy {
        case .settle(let outcome):
            // The next failure may declare it again: the exchange may be deleted once more in the moment after it was declared.
            self.channels[number].isRedeclared = false
            if case .unavailable(let reason) = outcome.kind { self.report(trouble: reason) }
            for entry in entries { self.settle(entry.job, entry.index, outcome) }
        case .redeclare:
            let fault = try self.redeclare(on: number)
            self.channels[number].isRedeclared = fault == nil
            if let fault {
                self.report(trouble: fault.reason)
                for entry in entries { self.settle(entry.job, entry.index, .unavailable(fault.reason)) }
            } else {
                for entry in entries { self.sendAgain(entry) }
            }
        case .search:
            for entry in entries where self.jobs[ObjectIdentifier(entry.job)] != nil {
                self.clear(entry.job, entry.job.suspects + 1)
            }
            for entry in entries { self.sendAgain(entry) }
        }
    }

    /// - Returns: What the broker has against it.
    private func redeclare(on number: UInt16) throws(ConnectionLoss) -> ChannelFault? {
        do throws(BrokerConnection.RequestError) {
            try self.connection!.openChannel(number)
            try self.connection!.declareTopology(self.configuration, on: number)
            self.channels[number].isOpen = true
            return nil
        } catch {
            switch error {
            case .connection(let loss): throw loss
            case .channel(let fault): return fault
            }
        }
    }

    private func sendAgain(_ entry: Unconfirmed) {
        guard self.jobs[ObjectIdentifier(entry.job)] != nil else { return }
        entry.job.schedule.sendAgain(entry.index)
        self.advance(entry.job)
    }

    // MARK: Alarms

    private func block(_ reason: String) {
        self.isBlocked = true
        self.report(trouble: reason)
        self.settleAll(.unavailable(reason))
    }

    private func unblock() {
        self.isBlocked = false
        self.trouble = nil
        // What was published before is confirmed only now.
        self.confirmsExpectedSince = .now
        self.mailbox.report(.up)
        self.logger.debug("The broker takes messages again")
    }

    private func report(trouble reason: String) {
        if self.trouble == reason { return }
        self.trouble = reason
        self.mailbox.report(.down(reason))
        self.logger.debug("The broker takes no messages", metadata: [LogKey.reason: "\(reason)"])
    }

    // MARK: Confirmations that do not come

    /// nil: none is waited for.
    var confirmDeadline: ContinuousClock.Instant? {
        if self.unconfirmed == 0 || self.isBlocked { return nil }
        guard let oldest = self.channels.channels.compactMap({ $0.window.oldest?.since }).min() else { return nil }
        return max(oldest, self.confirmsExpectedSince) + self.configuration.confirms.timeout
    }

    func checkConfirmTimeout() throws(ConnectionLoss) {
        guard let deadline = self.confirmDeadline, self.now >= deadline else { return }
        let limit = self.configuration.confirms.timeout
        throw ConnectionLoss(reason: "a message was not confirmed within \(limit)")
    }
}

extension AMQPConfiguration {
    var declaresSomething: Bool { self.exchange.declaration != nil || !self.queues.isEmpty }
}
