import Outbox
import OutboxRuntime

extension Publisher {
    /// A job gives way to the next in line after that many messages.
    private static var turnLength: Int { 64 }
    /// How many bytes are sent before the socket is asked again; what it can buffer is a multiple of that.
    private static var roomWhenWritable: Int { 32 * 1024 }
    /// What a message takes beside its payload, roughly.
    private static var overhead: Int { 256 }

    /// Sends what may be sent, as long as the socket takes it without blocking.
    func send() throws(ConnectionLoss) {
        self.isWaitingForRoom = false
        while try self.finishBody() {
            guard self.mayPublish, try self.hasRoom() else { return }
            // Asking for room may have brought news.
            guard self.mayPublish, let job = self.nextInLine() else { return }
            if job.answer.isOver {
                self.advance(job)
                self.leaveLine(job)
            } else if let index = job.schedule.next() {
                try self.publish(job, index)
            } else {
                if self.unconfirmed == 0 { self.clear(job, 0) }
                self.leaveLine(job)
                if job.schedule.isDone { self.advance(job) }
            }
        }
    }

    /// One by one, while it is to be found out by which message a channel was closed.
    private var mayPublish: Bool {
        !self.isBlocked && !self.line.isEmpty
            && self.unconfirmed < (self.suspectedJobs > 0 ? 1 : self.configuration.confirms.window)
    }

    private func nextInLine() -> DeliveryJob? {
        if self.suspectedJobs > 0 { return self.line.first { $0.suspects > 0 } }
        self.turns += 1
        if self.turns > Self.turnLength, self.line.count > 1 {
            self.turns = 1
            self.line.append(self.line.removeFirst())
        }
        return self.line.first
    }

    private func leaveLine(_ job: DeliveryJob) {
        job.isInLine = false
        self.turns = 0
        if self.line.first === job { self.line.removeFirst() } else { self.line.removeAll { $0 === job } }
    }

    /// Whether the socket takes something without blocking. Looks for news as well, now and then.
    private func hasRoom() throws(ConnectionLoss) -> Bool {
        if self.room > 0 { return true }
        let socket = SocketState.poll(self.terms.socket)
        if socket.isReadable { try self.receive() }
        if socket.isWritable { self.room = Self.roomWhenWritable }
        self.isWaitingForRoom = !socket.isWritable
        return socket.isWritable
    }

    /// Sends what is left of a long message.
    ///
    /// - Returns: Whether another one can be sent.
    private func finishBody() throws(ConnectionLoss) -> Bool {
        while self.unfinished != nil {
            self.room = 0
            guard try self.hasRoom() else { return false }
            // The news may have been that its channel is closed.
            guard var body = self.unfinished else { return true }
            let isLast = try self.connection!.sendFrame(of: &body)
            self.unfinished = isLast ? nil : body
            self.room = 0
        }
        return true
    }

    private func publish(_ job: DeliveryJob, _ index: Int) throws(ConnectionLoss) {
        let message = job.batch[index]
        let settings = self.configuration.publishing
        let publication: Publication
        do throws(Publication.Defect) {
            publication = try Publication(
                message, settings, needsRoutingKey: self.configuration.exchange.name.isEmpty)
        } catch {
            return self.settle(job, index, .reject(error.reason))
        }
        let count = unsafe message.withPayload { payload in payload.count }
        if let defect = self.sizeDefect(of: publication, payload: count) {
            return self.settle(job, index, .reject(defect))
        }
        let exchange = publication.exchange ?? self.configuration.exchange.name
        let number = self.channels.lookUp(exchange)
        let delay = Delay(publication, self.configuration.exchange)
        do throws(BrokerConnection.RequestError) {
            let channel = try self.open(number)
            self.unfinished = try self.connected { () throws(ConnectionLoss) in
                try self.connection!.publish(
                    message, as: publication, exchange: exchange,
                    isMandatory: settings.unroutable.kind != .dropped && delay != .certain, on: channel)
            }
            self.channels[channel].window.append(
                Unconfirmed(
                    job: job, index: index, isAddressFixed: self.fixedAddress.includes(publication),
                    delay: delay, since: self.now))
        } catch {
            switch error {
            case .connection(let loss): throw loss
            case .channel(let fault):
                let isOwn = publication.exchange != nil
                return self.settle(job, index, isOwn ? .retry(fault.reason) : .unavailable(fault.reason))
            }
        }
        self.unconfirmed += 1
        self.room -= count + Self.overhead
    }

    private func connected<Result>(
        _ body: () throws(ConnectionLoss) -> Result
    ) throws(BrokerConnection.RequestError) -> Result {
        do throws(ConnectionLoss) {
            return try body()
        } catch {
            throw .connection(error)
        }
    }

    private func sizeDefect(of publication: Publication, payload: Int) -> String? {
        let maximum = self.configuration.publishing.maximumMessageSize
        if payload > maximum { return "payload: \(payload) bytes; at most \(maximum) are allowed" }
        let frameSize = self.terms.frameSize
        let properties = publication.byteCount
        if properties > frameSize { return "headers: \(properties) bytes do not fit a frame of \(frameSize)" }
        return nil
    }

    /// - Returns: The number of a channel that is open.
    private func open(_ lookup: ChannelTable.Lookup) throws(BrokerConnection.RequestError) -> UInt16 {
        let number: UInt16
        switch lookup {
        case .found(let found):
            number = found
            if self.channels[number].isOpen { return number }
        case .reuse(let used):
            number = used
            try self.connection!.closeChannel(number)
            self.channels[number].isOpen = false
        }
        try self.connection!.openChannel(number)
        self.channels[number].isOpen = true
        return number
    }
}
