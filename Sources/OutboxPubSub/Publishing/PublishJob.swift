import Outbox
import OutboxHTTP
import OutboxRuntime
import Synchronization

/// One batch on its way. What an answer sets free is sent by the thread that has read it.
final class PublishJob: Sendable {
    private struct State {
        var schedule: PublishSchedule
        /// What is under way or waits for its turn, by number.
        var transfers: [Int: HTTPTransfer] = [:]
        /// Requests that ended before their transfer was noted.
        var endedEarly: Set<Int> = []
        /// Why nothing more is sent.
        var stop: Outcome?
        var isCancelled = false
    }

    private let answer = Answer<[Outcome]>()
    private let publisher: Publisher
    private let access: Access
    /// The messages as they are published, one after the other.
    private let written: [UInt8]
    /// Where each is, by its place in the batch; none of one that is never published.
    private let places: [Range<Int>]
    private let state: Mutex<State>

    init(_ batch: MessageBatch, publisher: Publisher, access: Access) {
        self.publisher = publisher
        self.access = access
        var schedule = PublishSchedule(count: batch.count, limits: publisher.limits)
        let messages = LentBatch(batch)
        let plain = publisher.template.plain
        let form = plain?.form
        let plainTarget = plain.map { schedule.number(of: $0.target) }
        let isOrdered = batch.isOrderedByKey
        let sendsRetriesAlone = publisher.sendsRetriesAlone
        var places: [Range<Int>] = []
        places.reserveCapacity(batch.count)
        let writer = unsafe messages.withMessages { lent in
            // Room for the attributes as well.
            var writer = unsafe ProtobufWriter(capacity: lent.reduce(0) { unsafe $0 + $1.payload.count + 128 })
            for index in 0..<lent.count {
                let start = writer.bytes.count
                let key = unsafe isOrdered ? lent[index].keyHash : nil
                let isAlone = sendsRetriesAlone && batch[index].attempt > 1
                if let form, let plainTarget, unsafe form.write(lent[index], to: &writer) {
                    places.append(start..<writer.bytes.count)
                    schedule.add(
                        index, targetNumber: plainTarget, size: writer.bytes.count - start, key: key,
                        isAlone: isAlone)
                    continue
                }
                do throws(Refusal) {
                    let message = try publisher.template.write(batch[index], to: &writer)
                    schedule.add(index, target: message.target, size: message.bytes.count, key: key, isAlone: isAlone)
                    places.append(message.bytes)
                } catch {
                    schedule.refuse(index, error.reason)
                    places.append(0..<0)
                }
            }
            return writer
        }
        self.written = writer.bytes
        self.places = places
        self.state = Mutex(State(schedule: schedule))
    }

    /// Publishes all.
    ///
    /// - Throws: `CancellationError`; what is under way is cancelled then.
    func run() async throws -> [Outcome] {
        self.advance()
        do {
            return try await self.answer.wait()
        } catch {
            self.cancel()
            throw error
        }
    }

    /// Sends all that may be sent now.
    private func advance() {
        let (requests, outcomes) = self.state.withLock { state -> ([PublishSchedule.Request], [Outcome]?) in
            if state.isCancelled { return ([], nil) }
            let requests = state.stop == nil ? state.schedule.next() : []
            guard requests.isEmpty, state.schedule.inFlight == 0 else { return (requests, nil) }
            if let stop = state.stop { state.schedule.settlePending(stop) }
            return ([], state.schedule.outcomes)
        }
        if let outcomes { return self.answer.give(.success(outcomes)) }
        for request in requests { self.send(request) }
    }

    private func send(_ request: PublishSchedule.Request) {
        let call = self.publisher.call(
            to: request.target.topic, self.written, at: request.indexes.map { self.places[$0] }, access: self.access)
        let transfer = self.publisher.client.submit(call) { result in self.finish(request, result) }
        let isCancelled = self.state.withLock { state in
            if state.endedEarly.remove(request.number) == nil { state.transfers[request.number] = transfer }
            return state.isCancelled
        }
        if isCancelled { self.publisher.client.cancel(transfer) }
    }

    private func finish(_ request: PublishSchedule.Request, _ result: Result<HTTPResponse, HTTPFailure>) {
        let meaning = PublishMeaning(result, count: request.indexes.count)
        let outcome = self.publisher.outcome(of: meaning, topic: request.target.topic, access: self.access)
        let withdrawn = self.state.withLock { state -> [HTTPTransfer] in
            if state.transfers.removeValue(forKey: request.number) == nil { state.endedEarly.insert(request.number) }
            if case .failure(let failure) = result, failure.kind == .withdrawn, let stop = state.stop {
                state.schedule.settle(request, stop)
                return []
            }
            if case .failed = meaning, request.indexes.count > 1 { self.publisher.noteFailure() }
            if case .refused(let reason) = meaning {
                state.schedule.divide(request, reason)
            } else {
                state.schedule.settle(request, outcome)
            }
            guard case .unavailable = outcome.kind, state.stop == nil else { return [] }
            state.stop = outcome
            return Array(state.transfers.values)
        }
        for transfer in withdrawn { self.publisher.client.withdraw(transfer) }
        self.advance()
    }

    /// The task that waits is cancelled.
    private func cancel() {
        let transfers = self.state.withLock { state in
            state.isCancelled = true
            return Array(state.transfers.values)
        }
        for transfer in transfers { self.publisher.client.cancel(transfer) }
    }
}
