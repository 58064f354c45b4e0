import DequeModule
import Logging
import Outbox
import OutboxRuntime

/// What happens on the thread of a transport: it connects, publishes what has come, and hands out what the broker says.
///
/// Used by that thread only. Decisions are made elsewhere: ``ConfirmWindow``, ``ChannelFault``, ``ReconnectSchedule``,
/// ``Publication`` and `BatchSchedule`.
final class Publisher {
    let configuration: AMQPConfiguration
    let mailbox: Mailbox
    let logger: Logger
    let fixedAddress: FixedAddress
    /// Whether it was said that messages count as delivered which an exchange seems to delay.
    var hasWarnedOfDelay = false

    /// nil: there is none at the moment.
    var connection: BrokerConnection?
    /// Its terms, or those of the last one.
    var terms = BrokerConnection.Terms(socket: -1, frameSize: 0, heartbeat: 0)
    var reconnects: ReconnectSchedule
    var nextAttempt = ContinuousClock.now
    /// When the connection was made.
    var connectedAt = ContinuousClock.now
    /// Whether the broker has confirmed anything on this connection.
    var hasServed = false
    /// Why messages cannot be delivered at the moment.
    var trouble: String?
    /// Why no connection could be made, as it was logged; nil: there is one.
    var saidReason: String?
    /// What was missing at the broker, as it was logged; nil: nothing.
    var saidMissing: String?
    /// Whether that is the broker's wish, while the connection lasts.
    var isBlocked = false

    var jobs: [ObjectIdentifier: DeliveryJob] = [:]
    /// Those that may have something to be sent.
    var line: Deque<DeliveryJob> = []
    /// How many messages the first in line has had sent in a row.
    var turns = 0
    /// How many jobs have messages that are sent one by one.
    var suspectedJobs = 0

    var channels = ChannelTable()
    /// How many messages are published and not confirmed, on all channels.
    var unconfirmed = 0
    /// Confirmations are not expected before that, plus the limit.
    var confirmsExpectedSince = ContinuousClock.now
    var confirmations: [ConfirmWindow<Unconfirmed>.Confirmation] = []
    var unfinished: UnfinishedBody?
    /// How many bytes can be sent without asking the socket again.
    var room = 0
    var isWaitingForRoom = false
    /// Read once in a round.
    var now = ContinuousClock.now

    private var arrivals: [DeliveryJob] = []

    init(_ configuration: AMQPConfiguration, mailbox: Mailbox, logger: Logger) {
        self.configuration = configuration
        self.mailbox = mailbox
        self.logger = logger
        self.fixedAddress = FixedAddress(configuration)
        self.reconnects = ReconnectSchedule(configuration.connection)
    }

    /// Works until the transport is closed or cancelled.
    func run() {
        while self.round() {}
        self.mailbox.use(socket: -1)
        self.connection = nil
        self.mailbox.end()
    }

    /// - Returns: Whether there is another one.
    private func round() -> Bool {
        let order = self.mailbox.take(into: &self.arrivals)
        if order == .cancel { return false }
        self.now = .now
        self.accept()
        if self.connection == nil {
            if order == .close { return false }
            if self.now >= self.nextAttempt {
                self.connect()
                // Attempts may have taken long.
                self.now = .now
            }
        }
        if self.connection == nil {
            self.settleAll(.unavailable(self.trouble ?? "not connected"))
        } else {
            do throws(ConnectionLoss) {
                try self.receive()
                try self.send()
                try self.checkConfirmTimeout()
            } catch {
                self.lose(error)
                return true
            }
            if order == .close, self.jobs.isEmpty {
                self.takeLeave()
                return false
            }
        }
        self.sleep(order)
        return true
    }

    private func accept() {
        for job in self.arrivals {
            if self.isBlocked, let trouble = self.trouble {
                job.end(all: .unavailable(trouble))
            } else {
                self.jobs[ObjectIdentifier(job)] = job
                self.lineUp(job)
            }
        }
        self.arrivals.removeAll(keepingCapacity: true)
    }

    private func sleep(_ order: Mailbox.Order) {
        let hasConnection = self.connection != nil
        let pause = hasConnection ? self.patience : self.nextAttempt - .now
        self.mailbox.sleep(after: order) { descriptor, maySleep in
            let ready = SocketState.wait(
                pipe: descriptor, socket: hasConnection ? self.terms.socket : nil, forWriting: self.isWaitingForRoom,
                milliseconds: maySleep ? pause.wholeMilliseconds : 0)
            return (ready.pipe, ())
        }
    }

    /// For how long nothing is to be done if nothing happens.
    private var patience: Duration {
        // The library sends a sign of life when it is asked for news and one is due.
        let heartbeat = self.terms.heartbeat
        var patience = heartbeat == 0 ? Duration.seconds(60) : .milliseconds(heartbeat * 500)
        if let deadline = self.confirmDeadline { patience = min(patience, deadline - self.now) }
        return patience
    }

    // MARK: Jobs

    func lineUp(_ job: DeliveryJob) {
        if job.isInLine { return }
        job.isInLine = true
        self.line.append(job)
    }

    /// A message that was on its way has an outcome.
    func settle(_ job: DeliveryJob, _ index: Int, _ outcome: Outcome) {
        guard self.jobs[ObjectIdentifier(job)] != nil else { return }
        job.schedule.settle(index, outcome)
        if job.suspects > 0 { self.clear(job, job.suspects - 1) }
        self.advance(job)
    }

    /// A job whose schedule has changed has something to be sent, or is done, or waits.
    func advance(_ job: DeliveryJob) {
        if job.schedule.isDone || job.answer.isOver {
            self.remove(job)
            job.answer.give(.success(job.schedule.outcomes))
        } else {
            self.lineUp(job)
        }
    }

    private func remove(_ job: DeliveryJob) {
        self.clear(job, 0)
        self.jobs[ObjectIdentifier(job)] = nil
    }

    /// Sets how many of a job's messages are still to be sent one by one.
    func clear(_ job: DeliveryJob, _ suspects: Int) {
        if job.suspects > 0, suspects == 0 { self.suspectedJobs -= 1 }
        if job.suspects == 0, suspects > 0 { self.suspectedJobs += 1 }
        job.suspects = suspects
    }

    /// Nothing more is sent of what has come so far.
    func settleAll(_ outcome: Outcome) {
        for job in self.jobs.values {
            job.schedule.settleRest(outcome)
            job.answer.give(.success(job.schedule.outcomes))
        }
        self.jobs.removeAll()
        for job in self.line { job.isInLine = false }
        self.line.removeAll()
        self.suspectedJobs = 0
    }
}
