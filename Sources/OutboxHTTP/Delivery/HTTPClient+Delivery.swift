package import Outbox
import OutboxRuntime
import Synchronization

extension HTTPClient {
    /// Delivers a batch by requests, as many at the same time as the client lets be under way, in order by key. What an answer sets free is sent by the
    /// thread that has read it.
    ///
    /// - Throws: `CancellationError`; what is under way is cancelled then.
    package func deliver(
        _ batch: MessageBatch, keyOrder: BatchSchedule.KeyOrder = .oneAtATime, by service: some RequestService
    ) async throws -> [Outcome] {
        try await self.deliver(batch, BatchSchedule(batch, keyOrder: keyOrder), by: service)
    }

    /// The same for a batch that was looked up.
    package func deliver(
        _ batch: LentBatch, keyOrder: BatchSchedule.KeyOrder, by service: some RequestService
    ) async throws -> [Outcome] {
        try await self.deliver(batch.batch, BatchSchedule(batch, keyOrder: keyOrder), by: service)
    }

    private func deliver(
        _ batch: MessageBatch, _ schedule: consuming BatchSchedule, by service: any RequestService
    ) async throws -> [Outcome] {
        try Task.checkCancellation()
        let delivery = RequestDelivery(batch, schedule, client: self, service: service)
        delivery.advance()
        do {
            return try await delivery.answer.wait()
        } catch {
            delivery.cancel()
            throw error
        }
    }
}

/// One batch on its way.
private final class RequestDelivery: Sendable {
    private struct State {
        var schedule: BatchSchedule
        /// What is under way or waits for its turn, by number.
        var transfers: [Int: HTTPTransfer] = [:]
        var lastNumber = 0
        /// How many callers have taken messages from the schedule, and not sent them yet.
        var packing = 0
        /// Why nothing more is sent.
        var stop: Outcome?
        var isCancelled = false

        /// Whether nothing will change any more.
        var isOver: Bool {
            self.schedule.isDone || (self.stop != nil && self.transfers.isEmpty && self.packing == 0)
        }

        mutating func settle(_ indexes: [Int], _ outcome: RequestOutcome) {
            switch outcome {
            case .delivered: self.schedule.settleDelivered(indexes)
            case .each(let outcomes):
                let unavailable = self.schedule.settle(indexes, outcomes)
                if self.stop == nil { self.stop = unavailable }
            }
        }
    }

    let answer = Answer<[Outcome]>()
    private let batch: MessageBatch
    private let client: HTTPClient
    private let service: any RequestService
    private let state: Mutex<State>

    init(_ batch: MessageBatch, _ schedule: BatchSchedule, client: HTTPClient, service: any RequestService) {
        self.batch = batch
        self.client = client
        self.service = service
        self.state = Mutex(State(schedule: schedule))
    }

    /// Sends all that may be sent now.
    func advance() {
        while true {
            let ready = self.takeReady()
            if ready.isEmpty { break }
            var settled: (indexes: [Int], outcomes: [Outcome]) = ([], [])
            let requests = self.service.requests(for: ready, of: self.batch) { index, outcome in
                settled.indexes.append(index)
                settled.outcomes.append(outcome)
            }
            let transfers = self.state.withLock { state in
                state.packing -= 1
                state.settle(settled.indexes, .each(settled.outcomes))
                return requests.map { request in
                    state.lastNumber += 1
                    let number = state.lastNumber
                    let transfer = HTTPTransfer(request.request) { result in self.finish(number, request, result) }
                    state.transfers[number] = transfer
                    return transfer
                }
            }
            self.client.submit(transfers)
        }
        self.endIfOver()
    }

    private func takeReady() -> [Int] {
        self.state.withLock { state in
            guard state.stop == nil, !state.isCancelled else { return [] }
            let ready = state.schedule.takeReady()
            if !ready.isEmpty { state.packing += 1 }
            return ready
        }
    }

    private func finish(_ number: Int, _ request: MessageRequest, _ result: Result<HTTPResponse, HTTPFailure>) {
        let outcome = self.outcome(of: result, for: request)
        let withdrawn = self.state.withLock { state -> [HTTPTransfer] in
            state.transfers[number] = nil
            let wasStopped = state.stop != nil
            state.settle(request.indexes, outcome)
            return !wasStopped && state.stop != nil ? Array(state.transfers.values) : []
        }
        for transfer in withdrawn { self.client.withdraw(transfer) }
        self.advance()
    }

    /// - Returns: None for what was taken back because of a stop, whose outcome it has in the end.
    private func outcome(of result: Result<HTTPResponse, HTTPFailure>, for request: MessageRequest) -> RequestOutcome {
        if case .failure(let failure) = result {
            switch failure.kind {
            // The client ends, of which the service knows nothing.
            case .closed, .cancelled: return .each(request.indexes.map { _ in .unavailable(failure.reason) })
            case .withdrawn where self.state.withLock({ $0.stop != nil }): return .each([])
            default: break
            }
        }
        return self.service.outcome(of: result, for: request, of: self.batch)
    }

    private func endIfOver() {
        let outcomes = self.state.withLock { state -> [Outcome]? in
            guard state.isOver else { return nil }
            if let stop = state.stop { state.schedule.settleRest(stop) }
            return state.schedule.outcomes
        }
        if let outcomes { self.answer.give(.success(outcomes)) }
    }

    /// The task that waits is cancelled.
    func cancel() {
        let transfers = self.state.withLock { state in
            state.isCancelled = true
            return Array(state.transfers.values)
        }
        for transfer in transfers { self.client.cancel(transfer) }
    }
}
