import Logging
import Metrics
import OutboxRuntime
import Synchronization
import Tracing

/// Reports one destination's deliveries: events, metrics, spans, log.
///
/// A class, since it is asked for every message: a structure of so many references would be copied each time.
package final class DeliveryObserver: Sendable {
    let destination: Destination
    private let events: RelayEventHub
    private let logger: Logger
    private let tracer: (any Tracer)?
    private let deliveredCounter: Counter
    private let retriedCounter: Counter
    private let deadCounter: Counter
    private let parkedCounter: Counter
    private let inFlight: Gauge
    private let lag: Metrics.Timer
    private let down: Gauge
    /// What this stream has in flight, of what its destination has.
    private let ownInFlight = Atomic(0)
    private let total: DestinationTotal
    private let budgets = Mutex(Budgets())
    /// Whether something was counted that has not been written.
    private let hasUntold = Atomic(false)
    private let isDown = Atomic(false)

    private struct Budgets {
        var dead = LineBudget(lines: 5, within: .seconds(10))
        var retried = LineBudget(lines: 1, within: .seconds(60))
        var parked = LineBudget(lines: 1, within: .seconds(60))
        /// Nil: the destination is up.
        var outage: Outage?
    }

    init(destination: Destination, subscription: String, events: RelayEventHub, logger: Logger) {
        let dimensions = [("destination", destination.name), ("subscription", subscription)]
        self.destination = destination
        self.events = events
        self.logger = logger
        let tracer = InstrumentationSystem.tracer
        self.tracer = tracer is NoOpTracer ? nil : tracer
        self.deliveredCounter = Counter(label: "outbox_messages_delivered_total", dimensions: dimensions)
        self.retriedCounter = Counter(label: "outbox_messages_retried_total", dimensions: dimensions)
        self.deadCounter = Counter(label: "outbox_messages_dead_lettered_total", dimensions: dimensions)
        self.parkedCounter = Counter(label: "outbox_messages_parked_total", dimensions: dimensions)
        self.inFlight = Gauge(label: "outbox_messages_in_flight", dimensions: dimensions)
        self.down = Gauge(label: "outbox_destination_down", dimensions: dimensions)
        self.lag = Metrics.Timer(label: "outbox_read_lag", dimensions: dimensions)
        self.total = events.total(of: destination)
        events.noteStream(1)
    }

    // A stream that another relay has is not down here, and has nothing in flight.
    deinit {
        self.events.up(ObjectIdentifier(self))
        self.events.noteStream(-1)
        if self.ownInFlight.load(ordering: .relaxed) != 0 { self.inFlight(0) }
        if self.isDown.load(ordering: .relaxed) { self.noteWhetherDown() }
    }

    /// An observer whose log and events go nowhere.
    package static func unobserved(_ destination: Destination) -> DeliveryObserver {
        DeliveryObserver(
            destination: destination, subscription: "main", events: RelayEventHub(),
            logger: Logger(label: "outbox.relay", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    var isListened: Bool { self.events.isListened }
    var isTracing: Bool { self.tracer != nil }

    func emit(_ event: RelayEvent) { self.events.emit(event) }

    /// Counts messages that a handler has taken.
    func delivered(_ count: Int, of page: any MessagePage) {
        if count > 0 { self.deliveredCounter.increment(by: Int64(count)) }
    }

    /// Notes how many messages of the stream are read and not yet committed.
    func inFlight(_ count: Int) {
        let change = count - self.ownInFlight.exchange(count, ordering: .relaxed)
        self.total.add(inFlight: change) { self.inFlight.record($0) }
    }

    /// Notes how long ago the first message of a page was enqueued, in nanoseconds.
    func lag(nanoseconds: Int64) { self.lag.recordNanoseconds(nanoseconds) }

    /// Shows in a gauge whether the destination counts as down: it does as long as one of its streams finds it down.
    func noteWhetherDown() {
        self.total.show { self.down.record(self.events.isDown(self.destination) ? 1 : 0) }
    }

    /// Why and since when the destination is down, for one that is: whether it is that is known a moment earlier than why.
    var outage: StreamActivity.Outage {
        self.budgets.withLock { budgets in
            StreamActivity.Outage(
                reason: LogText.line(budgets.outage?.reason ?? ""), since: budgets.outage?.since ?? .now)
        }
    }

    /// Reports that the destination counts as down.
    func opened(reason: String, retryAfter delay: Duration) {
        self.events.down(ObjectIdentifier(self), self.destination, reason: LogText.line(reason))
        self.isDown.store(true, ordering: .relaxed)
        self.noteWhetherDown()
        self.budgets.withLock { $0.outage = Outage(reason: reason, now: .now) }
        self.hasUntold.store(true, ordering: .relaxed)
        self.logger.warning(
            "The destination is down; probing it until it is up",
            metadata: [
                LogKey.destination: "\(self.destination.inLog)", LogKey.error: "\(LogText.line(reason))",
                LogKey.retryAfter: "\(Int(delay.seconds * 1000))",
            ])
        self.emit(.opened(destination: self.destination, reason: reason, retryAfter: delay))
    }

    /// Reports that the destination is down for another reason than the last reported one.
    func stillDown(reason: String, retryAfter delay: Duration) {
        self.events.down(ObjectIdentifier(self), self.destination, reason: LogText.line(reason))
        let outage = self.budgets.withLock { budgets in
            budgets.outage?.changed(reason: reason, now: .now)
            return budgets.outage
        }
        self.logger.warning(
            "The destination is still down, for another reason",
            metadata: self.metadata(outage, at: .now).adding([
                LogKey.error: "\(LogText.line(reason))", LogKey.retryAfter: "\(Int(delay.seconds * 1000))",
            ]))
        self.emit(.stillDown(destination: self.destination, reason: reason, retryAfter: delay))
    }

    /// Reports that the destination is up again.
    func closed() {
        self.events.up(ObjectIdentifier(self))
        self.isDown.store(false, ordering: .relaxed)
        self.noteWhetherDown()
        let outage = self.budgets.withLock { $0.outage.take() }
        self.logger.notice("The destination is up again", metadata: self.metadata(outage, at: .now))
        self.emit(.closed(destination: self.destination))
    }

    /// Reports settlements that have been committed.
    func committed(_ verdict: PageTicket.Verdict) {
        switch verdict {
        case .deferred(let deferral):
            // Scheduled, or behind another one of its key: not an attempt.
            guard let error = deferral.error else { return }
            self.retriedCounter.increment()
            var delay: Duration?
            if case .after(let duration) = deferral.due { delay = duration }
            self.log(deferral, error, delay)
            self.emit(
                .retried(
                    id: deferral.id, destination: self.destination, attempts: deferral.attempts, after: delay,
                    error: error))
        case .parked(let deferral):
            self.parkedCounter.increment()
            let isWritten = self.note { $0.parked.note("", now: .now) }
            self.logger.log(
                level: isWritten ? .notice : .debug, "A delivery takes long; others pass",
                metadata: [LogKey.destination: "\(self.destination.inLog)", LogKey.id: "\(deferral.id)"])
            self.emit(.parked(id: deferral.id, destination: self.destination))
        case .dead(let death):
            self.deadCounter.increment()
            self.events.noteDeadLetter()
            self.log(death)
            self.emit(
                .deadLettered(
                    id: death.id, destination: self.destination, attempts: death.attempts, reason: death.reason,
                    error: death.error ?? ""))
        case .untouched:
            break
        }
    }

    /// Calls a handler inside a span that continues the trace of the transaction that enqueued the message.
    func traced(_ message: Message, _ body: () async throws -> Void) async throws {
        guard let tracer = self.tracer else { return try await body() }
        var context = ServiceContext.current ?? .topLevel
        InstrumentationSystem.instrument.extract(message.headers, into: &context, using: HeaderExtractor())
        try await tracer.withAnySpan(
            "outbox deliver", context: context, ofKind: .consumer
        ) { span in
            span.attributes["messaging.system"] = "outbox"
            span.attributes["messaging.destination.name"] = message.destination.name
            span.attributes["messaging.message.id"] = "\(message.id)"
            span.attributes[LogKey.attempt] = message.attempt
            try await body()
        }
    }
}

// MARK: - Failures in the log

extension DeliveryObserver {
    /// As a warning one line a minute and destination, however much is retried; each at debug.
    private func log(_ deferral: Deferral, _ error: String, _ delay: Duration?) {
        var metadata: Logger.Metadata = [
            LogKey.destination: "\(self.destination.inLog)", LogKey.id: "\(deferral.id)",
            LogKey.attempts: "\(deferral.attempts)", LogKey.error: "\(LogText.line(error))",
        ]
        if let delay { metadata[LogKey.retryAfter] = "\(Int(delay.seconds * 1000))" }
        let isWritten = self.note { $0.retried.note(error, now: .now) }
        self.logger.log(
            level: isWritten ? .warning : .debug, "A message was not delivered and is tried again", metadata: metadata)
    }

    /// A few lines in ten seconds and destination, however many messages die.
    private func log(_ death: Death) {
        let error = death.error ?? ""
        let isWritten = self.note { $0.dead.note(error, now: .now) }
        self.logger.log(
            level: isWritten ? .error : .debug, "A message was not delivered and is a dead letter now",
            metadata: [
                LogKey.destination: "\(self.destination.inLog)", LogKey.id: "\(death.id)",
                LogKey.attempts: "\(death.attempts)", LogKey.reason: "\(death.reason.rawValue)",
                LogKey.error: "\(LogText.line(error))",
            ])
    }

    /// - Returns: Whether it is written as a line of its own.
    private func note(_ note: (inout sending Budgets) -> Bool) -> Bool {
        let isWritten = self.budgets.withLock { note(&$0) }
        if !isWritten { self.hasUntold.store(true, ordering: .relaxed) }
        return isWritten
    }

    /// Writes what was counted, when it is time.
    ///
    /// - Returns: When to call again; nil: after the next failure.
    package func tell(now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        self.hasUntold.load(ordering: .relaxed) ? self.tell(now: now, isLast: false) : nil
    }

    /// Writes what was counted, because nothing follows.
    package func tellRest() {
        if self.hasUntold.load(ordering: .relaxed) { _ = self.tell(now: .now, isLast: true) }
    }

    private func tell(now: ContinuousClock.Instant, isLast: Bool) -> ContinuousClock.Instant? {
        let (dead, retried, parked, outage, due) = self.budgets.withLock { budgets in
            let dead = budgets.dead.take(now: now, isLast: isLast)
            let retried = budgets.retried.take(now: now, isLast: isLast)
            let parked = budgets.parked.take(now: now, isLast: isLast)
            let outage = budgets.outage?.take(now: now) == true ? budgets.outage : nil
            let due = [budgets.dead.due, budgets.retried.due, budgets.parked.due, budgets.outage?.due].compactMap { $0 }
                .min()
            self.hasUntold.store(due != nil, ordering: .relaxed)
            return (dead, retried, parked, outage, due)
        }
        if let dead {
            self.logger.error(
                "More messages were not delivered and are dead letters now", metadata: self.metadata(dead))
        }
        if let retried {
            self.logger.warning("More attempts have failed and are repeated", metadata: self.metadata(retried))
        }
        if let parked {
            self.logger.notice(
                "More deliveries take long",
                metadata: [LogKey.destination: "\(self.destination.inLog)", LogKey.count: "\(parked.count)"])
        }
        if let outage {
            self.logger.warning(
                "The destination is still down",
                metadata: self.metadata(outage, at: now).adding([LogKey.error: "\(LogText.line(outage.reason))"]))
        }
        return due
    }

    private func metadata(_ outage: Outage?, at now: ContinuousClock.Instant) -> Logger.Metadata {
        var metadata: Logger.Metadata = [LogKey.destination: "\(self.destination.inLog)"]
        if let outage { metadata[LogKey.downFor] = "\(Int((now - outage.since).seconds * 1000))" }
        return metadata
    }

    private func metadata(_ counted: (count: Int, last: String)) -> Logger.Metadata {
        [
            LogKey.destination: "\(self.destination.inLog)", LogKey.count: "\(counted.count)",
            LogKey.error: "\(LogText.line(counted.last))",
        ]
    }
}

extension Logger.Metadata {
    fileprivate func adding(_ others: Logger.Metadata) -> Logger.Metadata { self.merging(others) { $1 } }
}

/// Reads the trace context from a message's headers.
private struct HeaderExtractor: Extractor {
    func extract(key: String, from carrier: [String: String]) -> String? { carrier[key] }
}

/// Writes the trace context into a message's headers.
private struct HeaderInjector: Injector {
    func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) { carrier[key] = value }
}

extension NewMessage {
    /// The message with the current trace context (`traceparent`) in its headers, where there is one and the message
    /// does not bring its own.
    package var withTraceContext: NewMessage {
        guard let context = ServiceContext.current else { return self }
        var traced: [String: String] = [:]
        InstrumentationSystem.instrument.inject(context, into: &traced, using: HeaderInjector())
        if traced.isEmpty { return self }
        var message = self
        message.headers.merge(traced) { own, _ in own }
        return message
    }
}
