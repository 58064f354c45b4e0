import Outbox
import OutboxHTTP
import Synchronization

/// One round of the requests for a batch, and what has to be sent in another.
final class ActionDelivery<Action: ServiceAction>: RequestService {
    /// What is to be sent again, by its place in the batch.
    struct Again: Sendable {
        var indexes: Set<Int> = []
        /// Whether a request was refused for something that may be the fault of one message: each is sent alone.
        var isAlone = false
        /// How long to wait before.
        var pause = Duration.zero
    }

    /// What a target is called in requests, or what is wrong with it.
    enum Address: Sendable {
        case known(String)
        case unknown(Outcome)
    }

    private let action: Action
    private let client: ServiceClient
    private let entries: [Result<Action.Entry, MessageRefusal>]
    private let addresses: [String: Address]
    private let packer: RequestPacker
    /// Whether it is known that each request has one message.
    private let isAlone: Bool
    /// How many rounds there were before.
    private let earlierRounds: Int
    private let again = Mutex(Again())
    /// How long rights that are missing are not asked for again.
    private static var pauseOfTarget: Duration { .seconds(30) }
    private let forget: @Sendable (String) -> Void

    /// - Parameters:
    ///   - entries: The messages, as far as they can be delivered, in the order of the batch.
    ///   - addresses: What has been found out about the entries' targets.
    ///   - isAlone: Whether each message has a request of its own.
    ///   - earlierRounds: How many rounds there were before.
    ///   - forget: Called with a target that is not there any more.
    init(
        _ action: Action, _ client: ServiceClient, entries: [Result<Action.Entry, MessageRefusal>],
        addresses: [String: Address], isAlone: Bool, earlierRounds: Int, forget: @escaping @Sendable (String) -> Void
    ) {
        self.action = action
        self.client = client
        self.entries = entries
        self.addresses = addresses
        self.isAlone = isAlone
        self.earlierRounds = earlierRounds
        self.packer =
            isAlone ? RequestPacker(maximumCount: 1, maximumBytes: action.packer.maximumBytes) : action.packer
        self.forget = forget
    }

    /// What is to be sent in another round.
    var rest: Again { self.again.withLock { $0 } }

    func requests(
        for indexes: [Int], of batch: MessageBatch, settle: (Int, Outcome) -> Void
    ) -> [MessageRequest] {
        var items: [RequestPacker.Item] = []
        items.reserveCapacity(indexes.count)
        var last: (target: String, address: Address?)?
        for index in indexes {
            switch self.entries[index] {
            case .failure(let refusal) where refusal.isOfTarget && self.action.hasFixedTarget:
                settle(index, .unavailable(refusal.reason))
                self.client.note(.down(refusal.reason))
            case .failure(let refusal): settle(index, .reject(refusal.reason))
            case .success(let entry):
                if last?.target != entry.target { last = (entry.target, self.addresses[entry.target]) }
                switch last?.address {
                case .unknown(let outcome): settle(index, outcome)
                case .known:
                    items.append(RequestPacker.Item(index: index, target: entry.target, byteCount: entry.byteCount))
                case nil: settle(index, .retry("the \(self.action.targetKind) “\(entry.target)” is not known"))
                }
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

    private func request(_ load: RequestPacker.Load) -> HTTPRequest? {
        guard case .known(let address)? = self.addresses[load.target] else { return nil }
        let body = self.action.body(of: self.entries(at: load.indexes), address: address)
        return self.client.request(self.action.operation, body)
    }

    /// Those of a request, which all can be delivered.
    private func entries(at indexes: [Int]) -> [Action.Entry] {
        var entries: [Action.Entry] = []
        entries.reserveCapacity(indexes.count)
        for index in indexes {
            if case .success(let entry) = self.entries[index] { entries.append(entry) }
        }
        return entries
    }

    func outcomes(
        of result: Result<HTTPResponse, HTTPFailure>, for request: MessageRequest, of batch: MessageBatch
    ) -> [Outcome] {
        switch result {
        case .failure(let failure):
            let reason = "\(self.client.service.title): \(failure.reason)"
            self.client.note(.down(reason))
            return request.indexes.map { _ in .unavailable(reason) }
        case .success(let response) where response.status == 200:
            let entries = self.entries(at: request.indexes)
            guard !response.isCut, let results = self.action.results(in: response.body, of: entries) else {
                let reason = "what answers is not \(self.client.service.title)"
                self.client.note(.down(reason))
                return request.indexes.map { _ in .unavailable(reason) }
            }
            self.client.throttle.reset()
            return self.outcomes(of: results, for: request)
        case .success(let response):
            return self.outcomes(of: ServiceFailure(response), for: request)
        }
    }

    private func outcomes(of results: [EntryResult], for request: MessageRequest) -> [Outcome] {
        let hasDelivered = results.contains(.delivered)
        // Where others of the request got through, the service as a whole is not down.
        self.note(results)
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
            case .failed(let reason) where !hasDelivered: .unavailable(reason)
            case .forbidden(let reason) where self.action.hasFixedTarget && !hasDelivered: .unavailable(reason)
            case .forbidden(let reason): .postpone(after: Self.pauseOfTarget, reason)
            case .throttled(let reason), .failed(let reason): self.sendAgain([index], after: pause(), reason)
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
        guard let first = request.indexes.first, let entry = try? self.entries[first].get() else { return "" }
        return entry.target
    }

    /// Sent in another round; where there is none, the outcome stays.
    private func sendAgain(_ indexes: [Int], after pause: Duration, _ reason: String) -> Outcome {
        self.again.withLock { again in
            again.indexes.formUnion(indexes)
            again.pause = max(again.pause, pause)
        }
        return .postpone(after: pause, reason)
    }
}
