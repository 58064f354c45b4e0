import Outbox
import OutboxHTTP
import Synchronization

/// What is to be sent again, by its place in the batch.
struct RoundRest: Sendable {
    var indexes: Set<Int> = []
    /// Whether a request was refused for something that may be the fault of one message: each is sent alone.
    var isAlone = false
    /// How long to wait before.
    var pause = Duration.zero
}

/// What a target is called in requests, or what is wrong with it.
enum TargetAddress: Sendable {
    case known(String)
    case unknown(Outcome)
}

/// One round of the requests for a batch, and what has to be sent in another.
final class ActionDelivery<Action: ServiceAction>: RequestService {
    private let client: ServiceClient
    // A part of the table, because what does not depend on the action is quicker to get at.
    private let list: EntryList
    /// By the numbers of targets; nil: nothing was found out.
    private let addresses: [TargetAddress?]
    private let packer: RequestPacker
    /// Whether it is known that each request has one message.
    private let isAlone: Bool
    /// How many rounds there were before.
    private let earlierRounds: Int
    /// Whether messages of the batch were taken in one of them.
    private let hasDelivered: Bool
    private let again = Mutex(RoundRest())
    /// How long rights that are missing are not asked for again.
    private static var pauseOfTarget: Duration { .seconds(30) }
    private let forget: @Sendable (String) -> Void
    private let action: Action
    private let table: EntryTable<Action.Entry>

    /// - Parameters:
    ///   - table: The messages of the batch.
    ///   - addresses: What has been found out about their targets.
    ///   - isAlone: Whether each message has a request of its own.
    ///   - earlierRounds: How many rounds there were before.
    ///   - hasDelivered: Whether messages of the batch were taken in one of them.
    ///   - forget: Called with a target that is not there any more.
    init(
        _ action: Action, _ client: ServiceClient, _ table: EntryTable<Action.Entry>,
        addresses: [String: TargetAddress], isAlone: Bool, earlierRounds: Int,
        hasDelivered: Bool, forget: @escaping @Sendable (String) -> Void
    ) {
        self.action = action
        self.client = client
        self.table = table
        self.list = table.list
        self.addresses = table.list.targets.map { addresses[$0] }
        self.isAlone = isAlone
        self.earlierRounds = earlierRounds
        self.hasDelivered = hasDelivered
        self.packer =
            isAlone ? RequestPacker(maximumCount: 1, maximumBytes: action.packer.maximumBytes) : action.packer
        self.forget = forget
    }

    /// What is to be sent in another round.
    var rest: RoundRest { self.again.withLock { $0 } }

    func requests(
        for indexes: [Int], of batch: MessageBatch, settle: (Int, Outcome) -> Void
    ) -> [MessageRequest] {
        var items: [RequestPacker.Item] = []
        items.reserveCapacity(indexes.count)
        for index in indexes {
            if let refusal = self.list.refusal(at: index) {
                settle(index, self.outcome(of: refusal))
                continue
            }
            let target = self.list.target(at: index)
            switch self.addresses[target] {
            case .known:
                items.append(
                    RequestPacker.Item(index: index, target: target, byteCount: self.list.byteCount(at: index)))
            case .unknown(let outcome): settle(index, outcome)
            case nil:
                settle(index, .retry("the \(self.action.targetKind) “\(self.list.targets[target])” is not known"))
            }
        }
        var requests: [MessageRequest] = []
        for load in self.packer.loads(of: items) {
            guard let request = self.request(load) else {
                for index in load.indexes { settle(index, .unavailable(self.client.lack)) }
                self.client.note(.down(self.client.lack))
                continue
            }
            requests.append(MessageRequest(indexes: load.indexes, request: request))
        }
        return requests
    }

    private func outcome(of refusal: MessageRefusal) -> Outcome {
        guard refusal.isOfTarget, self.action.hasFixedTarget else { return .reject(refusal.reason) }
        self.client.note(.down(refusal.reason))
        return .unavailable(refusal.reason)
    }

    private func request(_ load: RequestPacker.Load) -> HTTPRequest? {
        guard case .known(let address)? = self.addresses[load.target] else { return nil }
        let body = self.action.body(of: load.indexes, in: self.table, address: address)
        return self.client.request(self.action.operation, body)
    }

    func outcome(
        of result: Result<HTTPResponse, HTTPFailure>, for request: MessageRequest, of batch: MessageBatch
    ) -> RequestOutcome {
        switch result {
        case .failure(let failure):
            let reason = "\(self.client.service.title): \(failure.reason)"
            self.client.note(.down(reason))
            return .each(request.indexes.map { _ in .unavailable(reason) })
        case .success(let response) where response.status == 200:
            return self.outcome(of: response, for: request, of: batch)
        case .success(let response):
            return .each(self.outcomes(of: ServiceFailure(response), for: request))
        }
    }

    private func outcome(
        of response: HTTPResponse, for request: MessageRequest, of batch: MessageBatch
    ) -> RequestOutcome {
        if !response.isCut, self.action.isConfirmation(response.body, of: request.indexes) {
            self.client.throttle.reset()
            self.client.note(.up)
            return .delivered
        }
        guard !response.isCut,
            let results = self.action.results(in: response.body, of: request.indexes, in: self.table)
        else {
            let reason = "what answers is not \(self.client.service.title)"
            self.client.note(.down(reason))
            return .each(request.indexes.map { _ in .unavailable(reason) })
        }
        self.client.throttle.reset()
        return .each(self.outcomes(of: results, for: request, of: batch))
    }

    private func outcomes(
        of results: [EntryResult], for request: MessageRequest, of batch: MessageBatch
    ) -> [Outcome] {
        if results.allSatisfy(\.isDelivered) {
            self.client.note(.up)
            return Array(repeating: .delivered, count: results.count)
        }
        let hasDelivered = self.hasDelivered || results.contains(.delivered)
        // Where others got through, or where these have failed before while others did, the service as a whole is not down.
        let isOfMessages = hasDelivered || request.indexes.allSatisfy { batch[$0].attempt > 1 }
        if hasDelivered { self.client.note(.up) } else if !isOfMessages { self.note(results) }
        var drawn: Duration?
        func pause() -> Duration {
            let pause = drawn ?? ThrottlePause.pause(self.earlierRounds)
            drawn = pause
            return pause
        }
        return zip(request.indexes, results).map { index, result in
            switch result {
            case .delivered: .delivered
            case .refused(let reason): .reject(reason)
            case .unclear(let reason): .retry(reason)
            case .failed(let reason) where !isOfMessages: .unavailable(reason)
            case .forbidden(let reason) where self.action.hasFixedTarget && !hasDelivered: .unavailable(reason)
            case .forbidden(let reason): .postpone(after: Self.pauseOfTarget, reason)
            case .throttled(let reason): self.sendAgain([index], after: pause(), reason)
            // In the end that is an attempt: else it would come again for ever.
            case .failed(let reason): self.sendAgain([index], after: pause(), reason, else: .retry(reason))
            }
        }
    }

    /// A service that fails on all is down.
    private func note(_ results: [EntryResult]) {
        var reason: String?
        for result in results {
            switch result {
            case .failed(let why): reason = reason ?? why
            case .forbidden(let why) where self.action.hasFixedTarget: reason = reason ?? why
            case .delivered, .refused, .unclear, .throttled, .forbidden: return self.client.note(.up)
            }
        }
        if let reason { self.client.note(.down(reason)) }
    }

    private func outcomes(of failure: ServiceFailure, for request: MessageRequest) -> [Outcome] {
        let indexes = request.indexes
        if self.client.learn(from: failure, of: request.request) {
            return indexes.map { self.sendAgain([$0], after: .zero, "the clock is off") }
        }
        let target = self.target(of: request)
        let reason = "\(self.client.service.title), \(self.action.targetKind) “\(target)”: \(failure)"
        switch failure.meaning {
        case .throttled:
            self.client.note(.up)
            let pause = self.client.throttle.next()
            return indexes.map { self.sendAgain([$0], after: pause, reason) }
        case .missing:
            self.forget(target)
            return self.outcomes(ofTarget: reason, indexes)
        case .forbidden where !self.action.hasFixedTarget:
            // Rights are given in another place; no message is at fault.
            return indexes.map { _ in .postpone(after: Self.pauseOfTarget, reason) }
        case .forbidden:
            return self.outcomes(ofTarget: reason, indexes)
        case .expired, .unauthorized, .unavailable:
            self.client.note(.down(reason))
            return indexes.map { _ in .unavailable(reason) }
        case .invalid, .unclear:
            self.client.note(.up)
            if indexes.count == 1 { return [failure.meaning == .invalid ? .reject(reason) : .retry(reason)] }
            self.again.withLock { $0.isAlone = true }
            return indexes.map { self.sendAgain([$0], after: .zero, reason) }
        }
    }

    /// What is wrong with a target is wrong for the destination, where all messages go to that one.
    private func outcomes(ofTarget reason: String, _ indexes: [Int]) -> [Outcome] {
        guard self.action.hasFixedTarget else { return indexes.map { _ in .retry(reason) } }
        self.client.note(.down(reason))
        return indexes.map { _ in .unavailable(reason) }
    }

    private func target(of request: MessageRequest) -> String {
        request.indexes.first.map { self.list.targets[self.list.target(at: $0)] } ?? ""
    }

    /// Sent in another round; where there is none, the outcome stays.
    private func sendAgain(
        _ indexes: [Int], after pause: Duration, _ reason: String, else outcome: Outcome? = nil
    ) -> Outcome {
        self.again.withLock { again in
            again.indexes.formUnion(indexes)
            again.pause = max(again.pause, pause)
        }
        return outcome ?? .postpone(after: pause, reason)
    }
}
