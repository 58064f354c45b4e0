import CRdKafka
import Logging
import Outbox
import OutboxRuntime

/// The transport's thread: makes producers, takes their events, and ends them.
///
/// There is one producer at a time. It is replaced when librdkafka says that it is of no more use, when a batch has waited
/// too long, when all brokers are gone, and to have one record in a request or several again. What it had is reported
/// before the next one is offered, so nothing that was given up is overtaken.
struct ProducerLoop: ~Copyable {
    typealias Instant = ContinuousClock.Instant

    private static let pollTime = Duration.milliseconds(250)
    /// How long brokers are asked for an answer, while reports wait.
    private static let probeTime = Duration.milliseconds(100)
    /// How long records on the wire may still be confirmed when their producer ends.
    private static let partingTime = Duration.seconds(1)

    private let properties: ProducerProperties
    private let brokers: String
    private let delivery: KafkaConfiguration.Delivery
    private let producer: SharedProducer
    private let logger: Logger
    private let statistics: StatisticsMetrics

    private var contact: Contact
    private var topicCheck: TopicCheck
    private var explanations = Explanations()
    /// Whether it was said that nothing can be delivered.
    private var isSaidDown = false
    private var isSolitary = false
    private var requestLimit = RequestLimit()
    private var lastDelivery: Instant?
    /// When the order to close came.
    private var closing: Instant?
    /// Why the producer has to be replaced, if it has to.
    private var failure: Failure?

    private struct Failure {
        let reason: String
        /// How long what it has may still be confirmed.
        var patience = Duration.zero
        /// Whether it can still send what waits.
        var isGentle = false
    }

    init(
        properties: ProducerProperties, configuration: KafkaConfiguration, producer: SharedProducer, logger: Logger
    ) {
        self.properties = properties
        self.brokers = configuration.brokers.joined(separator: ",")
        self.delivery = configuration.delivery
        self.producer = producer
        self.logger = logger
        self.statistics = StatisticsMetrics(cluster: self.brokers)
        self.topicCheck = TopicCheck(
            topic: configuration.topic.constant, patience: configuration.delivery.topicTimeout)
        self.contact = Contact(patience: configuration.delivery.contactTimeout, now: .now)
    }

    /// Works until it is told to end. On a thread of its own.
    mutating func run() {
        while !self.isOver {
            do throws(TransportConfigurationError) {
                let handle = try self.makeHandle()
                self.work(with: handle)
            } catch {
                // It could be made before, so this passes: no thread, no descriptor, no file with a certificate.
                self.contact.fallen(error.description)
                self.sayNews()
                DedicatedThread.sleep(.milliseconds(200))
            }
        }
        self.producer.mailbox.end()
    }

    private mutating func makeHandle() throws(TransportConfigurationError) -> ProducerHandle {
        self.isSolitary = self.producer.isSuspicious
        self.requestLimit.note(oversizedRequests: self.producer.oversizedRequests)
        let configuration = try ClientConfiguration(self.properties)
        try configuration.set("bootstrap.servers", to: self.brokers)
        if self.isSolitary {
            try configuration.set("batch.num.messages", to: "1")
        } else if let bytes = self.requestLimit.bytes {
            try configuration.set("batch.size", to: "\(bytes)")
        }
        return try ProducerHandle(configuration)
    }

    /// Takes the events of a producer until it has to be replaced.
    private mutating func work(with handle: borrowing ProducerHandle) {
        let producer = handle.makeProducer(isSolitary: self.isSolitary)
        self.failure = nil
        self.producer.offer(producer)
        while self.failure == nil, !self.isOver {
            self.takeEvents(of: handle, within: self.contact.isInDoubt ? .milliseconds(10) : Self.pollTime)
            if self.contact.isInDoubt { self.look(for: handle) } else { self.lookForTopic(handle) }
            self.checkTime(handle)
            self.checkMode()
        }
        if let failure = self.failure { self.producer.note(failure: failure.reason) }
        self.producer.offer(nil)
        producer.retire()
        self.drain(handle)
        if let failure = self.failure {
            self.logger.debug("Replacing the producer", metadata: [LogKey.error: "\(failure.reason)"])
        }
    }

    /// Whether nothing is left to do.
    private var isOver: Bool {
        switch self.producer.mailbox.order {
        case .work: return false
        case .cancel: return true
        case .close:
            guard let closing = self.closing else { return self.producer.mailbox.isIdle }
            return self.producer.mailbox.isIdle || .now - closing > self.delivery.closeTimeout
        }
    }

    // MARK: Events

    /// Waits for an event, and takes it and those behind it.
    private mutating func takeEvents(of handle: borrowing ProducerHandle, within time: Duration) {
        var time = time
        for _ in 0..<64 {
            guard let event = handle.nextEvent(within: time) else { return }
            let content = event.take {
                self.lastDelivery = .now
                self.noteContact()
            }
            self.take(content)
            time = .zero
        }
    }

    private mutating func take(_ event: ProducerEvent.Content) {
        switch event {
        case .reports:
            self.producer.makeRoom()
        case .error(let code, let reason, let isFatal):
            self.take(code, reason, isFatal: isFatal)
        case .statistics(let json):
            self.statistics.record(json)
        case .log(let level, let facility, let text):
            if let reason = self.explanations.take(facility: facility, line: text) { self.contact.failed(reason) }
            self.logger.log(
                level: level <= 4 ? .debug : .trace, "librdkafka says",
                metadata: ["outbox.kafka.facility": "\(facility)", "outbox.kafka.text": "\(text)"])
        case .other:
            break
        }
    }

    private mutating func take(_ code: rd_kafka_resp_err_t, _ reason: String, isFatal: Bool) {
        self.logger.debug(
            "librdkafka reports an error",
            metadata: ["outbox.kafka.code": "\(errorText(code))", LogKey.error: "\(reason)"])
        if isFatal {
            // librdkafka sends nothing more, and goes on to say what became of what is on the wire.
            self.failure = Failure(reason: reason, patience: Self.partingTime)
        } else if code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN {
            self.contact.lost(now: .now)
        } else {
            self.contact.failed(self.explanations.take(code, reason))
        }
    }

    private mutating func noteContact() {
        guard self.contact.reached() else { return }
        self.producer.report(.up)
        if self.isSaidDown {
            self.logger.notice("Connected to Kafka", metadata: ["outbox.kafka.brokers": "\(self.brokers)"])
        }
        self.isSaidDown = false
    }

    // MARK: Judging

    /// Asks the brokers, which otherwise send nothing as long as nothing is sent to them.
    private mutating func look(for handle: borrowing ProducerHandle) {
        if handle.probe(within: Self.probeTime) == nil { self.noteContact() }
    }

    /// Looks for the topic of all messages, once there is contact.
    private mutating func lookForTopic(_ handle: borrowing ProducerHandle) {
        guard let topic = self.topicCheck.topic else { return }
        let defect = handle.probe(topic: topic, within: Self.probeTime)
        guard let reason = self.topicCheck.note(defect, now: .now) else { return }
        self.logger.warning(
            "Kafka does not have what messages go to; they wait in the outbox",
            metadata: ["outbox.kafka.brokers": "\(self.brokers)", LogKey.error: "\(reason)"])
    }

    private mutating func checkTime(_ handle: borrowing ProducerHandle) {
        let now = Instant.now
        if case .close = self.producer.mailbox.order, self.closing == nil { self.closing = now }
        if self.contact.check(now: now) {
            self.failure = Failure(reason: "no broker within reach: \(self.contact.reason)")
        }
        self.sayNews()
        let stalled = self.producer.stalled(since: now - self.delivery.timeout)
        if stalled.isEmpty { return }
        let isClusterAlive = self.lastDelivery.map { now - $0 < self.delivery.timeout } ?? false
        let reason = "no confirmation within \(self.delivery.timeout.seconds) s"
        let withoutLeader = handle.partitionsWithoutLeader(within: Self.probeTime)
        for reports in stalled {
            // That others are delivered says nothing where all of the destination goes to one topic, and they to another.
            let isAlive =
                reports.fixedTopic.map { self.producer.hasDelivered(to: $0, since: now - self.delivery.timeout) }
                ?? isClusterAlive
            // A topic of all messages without any leader is an outage of the destination.
            let partitions = withoutLeader.filter { $0.key != reports.fixedTopic || $0.value.isPart }
            reports.end(
                with: isAlive || reports.hasDelivered ? .retry(reason) : .unavailable(reason),
                leaderless: partitions.isEmpty
                    ? nil : .init(partitions: partitions.mapValues(\.partitions), pause: self.delivery.timeout))
        }
        // Where others have a leader, what is on the wire to them is confirmed, if it can be, rather than sent twice.
        self.failure = Failure(reason: reason, patience: withoutLeader.isEmpty ? .zero : Self.partingTime)
    }

    /// Says why nothing can be delivered, when that is news. Before there is a message, nothing else would say it.
    private mutating func sayNews() {
        guard let reason = self.contact.news() else { return }
        self.producer.report(.down(reason))
        self.isSaidDown = true
        self.logger.warning(
            "Kafka cannot be used; messages wait in the outbox, and it is tried again",
            metadata: ["outbox.kafka.brokers": "\(self.brokers)", LogKey.error: "\(reason)"])
    }

    /// Whether one record in a request is called for.
    private mutating func checkMode() {
        self.requestLimit.note(oversizedRequests: self.producer.oversizedRequests)
        let isSuspicious = self.producer.isSuspicious
        if isSuspicious == self.isSolitary { return }
        self.isSolitary = isSuspicious
        self.failure = Failure(
            reason: isSuspicious ? "to find out which record was refused" : "no record is under suspicion any more",
            patience: Self.partingTime, isGentle: true)
    }

    // MARK: Ending a producer

    /// Lets all that a producer has be reported.
    private mutating func drain(_ handle: borrowing ProducerHandle) {
        let deadline = Instant.now + (self.failure?.patience ?? .zero)
        let giveUp = deadline + .seconds(10)
        while handle.remaining > 0, .now < giveUp {
            let isLate = Instant.now >= deadline
            if isLate || self.failure?.isGentle != true { handle.purge(isAll: isLate) }
            self.takeEvents(of: handle, within: .milliseconds(5))
        }
        if handle.remaining > 0 {
            self.logger.error("librdkafka keeps records that it was told to give up")
        }
    }
}
