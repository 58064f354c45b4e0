import Logging
import Outbox
import OutboxHTTP
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What a request to a webhook is, and what its answer means: a message a request.
///
/// Where all messages of a destination go to one host, a receiver that is down is an outage of the destination, whose breaker probes it.
/// Where they go to several, the messages of one that is down are postponed, and each receiver has a breaker here.
struct WebhookService: RequestService {
    private let template: RequestTemplate
    private let outage: WebhookConfiguration.Outage
    private let isGoneHeld: Bool
    /// Whether a destination is one receiver.
    private let hasOneHost: Bool
    /// Whether an address speaks of the message, not of a receiver.
    private let hasOneEndpoint: Bool
    let receivers: ReceiverTable
    private let logger: Logger

    /// How long a receiver that is one of several may give no sign before its messages no longer wait in line for it.
    private static let patience = Duration.seconds(2)
    /// How long a message may wait for its turn at least before its receiver counts as slow.
    private static let shortestWait = Duration.seconds(10)
    /// The turns of how many seconds are handed over at a time, where there is a limit of rate.
    private static let lineSeconds = 4.0

    init(_ configuration: WebhookConfiguration, logger: Logger) throws(TransportConfigurationError) {
        let template = try RequestTemplate(configuration)
        let (outage, limits) = (configuration.outage, configuration.limits)
        self.template = template
        self.outage = outage
        self.hasOneHost = template.address.hasOneHost
        self.hasOneEndpoint = template.address.hasOneEndpoint
        self.isGoneHeld = outage.gone?.isHeld ?? template.address.hasOneEndpoint
        self.logger = logger
        let isAlone = template.address.hasOneHost
        // A line that waits for its turns is no sign of a slow receiver.
        let line = limits.requestsPerSecond.map { max(1, Int($0 * Self.lineSeconds)) }
        let lineTime = limits.requestsPerSecond.map { rate in Duration.seconds(Double(line ?? 1) / rate) } ?? .zero
        self.receivers = ReceiverTable(
            Receiver.Policy(
                failures: outage.failures,
                pauses: isAlone
                    ? nil : Backoff(base: outage.initialPause, cap: outage.maximumPause, jitter: 0.5),
                patience: isAlone ? nil : Self.patience + lineTime,
                lineUp: limits.requestsPerHost,
                longestWait: isAlone ? nil : max(limits.timeout, Self.shortestWait) + lineTime,
                longestLine: isAlone ? nil : line))
    }

    var address: AddressTemplate { self.template.address }

    /// Asks the receiver something that is no message.
    func question(_ method: String, at address: AddressTemplate.Address) -> HTTPRequest {
        HTTPRequest(method, address.url, headers: self.template.identity)
    }

    // MARK: Requests

    func requests(
        for indexes: [Int], of batch: MessageBatch, settle: (_ index: Int, _ outcome: Outcome) -> Void
    ) -> [MessageRequest] {
        let now = ContinuousClock.now
        return indexes.compactMap { index in
            do throws(MessageRefusal) {
                let (request, address) = try self.template.request(for: batch[index]) { Self.secondsSince1970() }
                if self.receivers.withGone({ $0.holds(address.endpoint, at: now) }) {
                    settle(index, self.stillGone)
                    return nil
                }
                switch self.receivers.begin(address.origin, at: now) {
                case .failure(let wait):
                    settle(index, self.waiting(wait.pause, wait.reason))
                    return nil
                case .success(let ticket):
                    // Asked last: what was not sent has asked nothing.
                    guard self.receivers.withGone({ $0.ask(address.endpoint, at: now) }) else {
                        settle(index, self.stillGone)
                        return nil
                    }
                    var request = request
                    request.admission = { ticket.refusal(at: .now) }
                    return MessageRequest(indexes: [index], request: request)
                }
            } catch {
                settle(index, .reject(error.reason))
                return nil
            }
        }
    }

    private var stillGone: Outcome { self.gone("the receiver has answered \(AnswerMeaning.name(of: 410))") }

    private func gone(_ reason: String) -> Outcome {
        if !self.isGoneHeld { return .reject(reason) }
        return self.hasOneEndpoint ? .unavailable(reason) : .postpone(after: GoneEndpoints.interval, reason)
    }

    /// For a message that was not sent: its receiver is left alone.
    private func waiting(_ pause: Duration, _ reason: String) -> Outcome {
        if self.hasOneHost { return .unavailable(reason) }
        // Not all at once when the time has come.
        let spread = pause * Double.random(in: 1...1.5)
        return .postpone(after: max(spread, .milliseconds(100)), reason)
    }

    // MARK: Answers

    func outcome(
        of result: Result<HTTPResponse, HTTPFailure>, for request: MessageRequest, of batch: MessageBatch
    ) -> RequestOutcome {
        let origin = request.request.origin ?? ""
        // What happens with nearly every message, without all that an answer can mean.
        if case .success(let response) = result, AnswerMeaning.isSuccess(response.status),
            self.receivers.noteDelivery(to: origin)
        {
            return .delivered
        }
        let outcomes = request.indexes.map { index in
            self.outcome(of: result, url: request.request.url, origin: origin, batch[index])
        }
        return .each(outcomes)
    }

    private func outcome(
        of result: Result<HTTPResponse, HTTPFailure>, url: String, origin: String, _ message: Message
    ) -> Outcome {
        let meaning: AnswerMeaning
        switch result {
        case .success(let response):
            meaning = AnswerMeaning(
                response, now: Self.secondsSince1970(), longestRetryAfter: self.outage.maximumRetryAfter)
        case .failure(let failure) where failure.kind == .withdrawn:
            return self.withdrawn(origin, failure.reason)
        case .failure(let failure):
            meaning = AnswerMeaning(failure)
        }
        let endpoint = String(Substring(url.utf8.prefix { $0 != UInt8(ascii: "?") }))
        // An error of a server says nothing of whether it will ever accept messages again.
        if case .delivered = meaning, self.receivers.withGone({ $0.remove(endpoint) }) {
            self.logger.notice(
                "A receiver that was gone is back", metadata: [LogKey.url: "\(AddressTemplate.shown(endpoint))"])
        }
        return self.outcome(of: meaning, origin: origin, endpoint: endpoint, message)
    }

    /// Its receiver has gone down, or is slow, while it waited for its turn.
    private func withdrawn(_ origin: String, _ reason: String) -> Outcome {
        switch self.receivers.update(origin, { $0.admission(at: .now) }) {
        case .wait(let pause, let reason): self.waiting(pause, reason)
        case .pass, .probe: self.waiting(self.hasOneHost ? .zero : self.outage.initialPause, reason)
        }
    }

    private func outcome(of meaning: AnswerMeaning, origin: String, endpoint: String, _ message: Message) -> Outcome {
        let now = ContinuousClock.now
        let draw = Double.random(in: 0...1)
        switch meaning {
        case .delivered:
            self.noteSuccess(origin)
            return .delivered
        case .refused(let reason):
            self.noteSuccess(origin)
            return .reject(reason)
        case .failed(let reason, let retryAfter):
            self.noteFailure(origin, message, reason, isCertain: false, level: .warning, now, draw)
            return .retry(after: retryAfter.flatMap { Self.honoured($0, attempt: message.attempt) }, reason)
        case .misconfigured(let reason):
            self.noteFailure(origin, message, reason, isCertain: false, level: .error, now, draw)
            return .retry(reason)
        case .unreached(let reason):
            self.noteFailure(origin, message, reason, isCertain: true, level: .warning, now, draw)
            return self.waiting(self.pause(of: origin, at: now), reason)
        case .forbidden(let refusal):
            let reason = refusal + "; exceptions are “allowedAddresses”, in an address “outbox.allow”"
            // A host that a message names is the message's fault.
            if !self.hasOneHost { return .reject(reason) }
            self.noteFailure(origin, message, reason, isCertain: true, level: .error, now, draw)
            return .unavailable(reason)
        case .throttled(let reason, let retryAfter):
            let pause = self.receivers.update(origin) { $0.throttle(reason, for: retryAfter, at: now, draw: draw) }
            self.logger.debug(
                "A receiver asks to be left alone",
                metadata: [LogKey.receiver: "\(origin)", LogKey.pause: "\(pause.short)"])
            return self.waiting(pause, reason)
        case .gone(let reason):
            self.noteSuccess(origin)
            if self.receivers.withGone({ $0.add(endpoint, at: now) }) {
                self.logger.error(
                    self.isGoneHeld
                        ? "A receiver says that it is gone for good; its messages wait until the route is changed"
                        : "A receiver says that it is gone for good; its messages go to dead letter",
                    metadata: [LogKey.url: "\(AddressTemplate.shown(endpoint))"])
            }
            return self.gone(reason)
        }
    }

    /// A pause that a receiver asks for takes the place of the retry strategy's. A short one at each attempt would use up all attempts
    /// within seconds, so it is obeyed only where it is longer than a pause that grows with the attempts; else the strategy decides.
    static func honoured(_ pause: Duration, attempt: Int) -> Duration? {
        let usual = Backoff(base: .seconds(1), cap: .seconds(600), jitter: 0)
        return pause >= usual.pause(earlierFailures: max(0, attempt - 1), draw: 1) ? pause : nil
    }

    private func pause(of origin: String, at now: ContinuousClock.Instant) -> Duration {
        if case .wait(let pause, _) = self.receivers.update(origin, { $0.admission(at: now) }) { return pause }
        return self.outage.initialPause
    }

    private func noteSuccess(_ origin: String) {
        if self.receivers.update(origin, { $0.succeed() }) {
            self.logger.notice("A receiver is back", metadata: [LogKey.receiver: "\(origin)"])
        }
    }

    private func noteFailure(
        _ origin: String, _ message: Message, _ reason: String, isCertain: Bool, level: Logger.Level,
        _ now: ContinuousClock.Instant, _ draw: Double
    ) {
        let isNews = self.receivers.update(origin) {
            $0.fail(message: message.id, reason, isCertain: isCertain, at: now, draw: draw)
        }
        guard isNews else { return }
        self.logger.log(
            level: level, "A receiver is down; its messages wait",
            metadata: [LogKey.receiver: "\(origin)", LogKey.reason: "\(reason)"])
    }

    private static func secondsSince1970() -> Int64 { Int64(Date().timeIntervalSince1970) }
}
