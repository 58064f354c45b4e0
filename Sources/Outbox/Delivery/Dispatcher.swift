import Logging
import Synchronization
import Tracing

/// Delivers the pages of one stream: spreads them over lanes, on which workers call the destination's handler.
package final class Dispatcher: Sendable {
    /// Rows of one page that belong to one lane.
    struct Run: Sendable {
        let ticket: PageTicket
        let rows: Range<Int>
    }

    typealias Assignment = LaneAssignment<Run>
    typealias Queue = LaneQueue<Run, CheckedContinuation<Assignment?, Never>>

    let handler: DestinationHandler
    let observer: DeliveryObserver
    private let queue: Mutex<Queue>
    private let gate: Mutex<KeyGate>
    /// A copy of `gate.isOpen` that costs no lock.
    private let gateIsOpen: Atomic<Bool>
    private let random: Mutex<any RandomNumberGenerator & Sendable>
    private let onSettled: @Sendable (PageTicket) -> Void

    /// - Parameter onSettled: Called, from any thread, when the last message of a page is settled.
    package init(
        handler: DestinationHandler, deferredKeys: [UInt64: Int],
        random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator(),
        observer: DeliveryObserver, onSettled: @escaping @Sendable (PageTicket) -> Void
    ) {
        self.handler = handler
        self.observer = observer
        self.queue = Mutex(Queue(lanes: handler.concurrency))
        self.gate = Mutex(KeyGate(stored: deferredKeys))
        self.gateIsOpen = Atomic(deferredKeys.isEmpty)
        self.random = Mutex(random)
        self.onSettled = onSettled
    }

    /// Hands a page to the lanes.
    package func submit(_ ticket: PageTicket) {
        let wake = self.queue.withLock { queue in
            for lane in 0..<queue.laneCount {
                let rows = Int(ticket.starts[lane])..<Int(ticket.starts[lane + 1])
                if !rows.isEmpty { queue.add(Run(ticket: ticket, rows: rows), to: lane) }
            }
            return queue.wakeOne()
        }
        wake?.0.resume(returning: wake?.1)
    }

    /// Ends the workers. What they have begun they finish; what they have not is dropped.
    package func close() {
        for waiter in self.queue.withLock({ $0.close() }) { waiter.resume(returning: nil) }
    }

    /// The body of one worker: as many as the handler's concurrency run at the same time.
    package func work() async {
        var finished: Int?
        while let assignment = await self.next(finished: finished) {
            await LaneRun(self, assignment.work).deliver()
            finished = assignment.lane
        }
    }

    private func next(finished: Int?) async -> Assignment? {
        // The common case first, without making a continuation.
        switch self.queue.withLock({ $0.next(finished: finished) }) {
        case .work(let assignment, let wake):
            wake?.0.resume(returning: wake?.1)
            return assignment
        case .finished:
            return nil
        case .wait:
            break
        }
        let assignment = await withCheckedContinuation { continuation in
            let next = self.queue.withLock { queue in
                let next = queue.next(finished: nil)
                if case .wait = next { queue.wait(continuation) }
                return next
            }
            switch next {
            case .work(let assignment, let wake):
                wake?.0.resume(returning: wake?.1)
                continuation.resume(returning: assignment)
            case .finished:
                continuation.resume(returning: nil)
            case .wait:
                break
            }
        }
        // Whoever was woken wakes the next, as long as there is work.
        let wake = self.queue.withLock { $0.wakeOne() }
        wake?.0.resume(returning: wake?.1)
        return assignment
    }

    /// Notes the end of a run.
    func settle(_ run: Run, exceptions: [PageTicket.Exception]) {
        if run.ticket.settle(count: run.rows.count, exceptions: exceptions) { self.onSettled(run.ticket) }
    }

    /// Decides about a message after a failed attempt.
    func retryDecision(
        afterAttempts attempts: Int, requested: Duration?, options: MessageOptions
    ) -> RetryPolicy.Decision {
        self.random.withLock { random in
            self.handler.retry.decision(
                afterAttempts: attempts, requested: requested, options: options, random: &random)
        }
    }

    /// The pause after an attempt that does not count.
    func uncountedDelay(afterAttempts attempts: Int, options: MessageOptions) -> Duration {
        self.random.withLock { random in
            self.handler.retry.delay(afterAttempts: attempts, options: options, random: &random)
        }
    }
}

// MARK: - Order by key

extension Dispatcher {
    /// Whether a message of the log has to queue behind deferred ones of its key.
    func isBlocked(key: @autoclosure () -> UInt64?) -> Bool {
        if self.gateIsOpen.load(ordering: .acquiring) { return false }
        guard let key = key() else { return false }
        return self.gate.withLock { $0.isBlocked(key) }
    }

    /// From now on, messages of that key queue.
    func block(key: UInt64) {
        self.updateGate { $0.block(key) }
    }

    /// The store has deferred the messages for which keys were blocked, and removed others.
    package func committed(deferred: [UInt64], removed: [UInt64]) {
        if deferred.isEmpty && removed.isEmpty { return }
        self.updateGate { $0.committed(deferred: deferred, removed: removed) }
    }

    /// Somebody else has changed the deferred messages.
    package func reload(deferredKeys: [UInt64: Int]) {
        self.updateGate { $0.reload(stored: deferredKeys) }
    }

    private func updateGate(_ change: (inout KeyGate) -> Void) {
        self.gate.withLock { gate in
            change(&gate)
            self.gateIsOpen.store(gate.isOpen, ordering: .releasing)
        }
    }
}
