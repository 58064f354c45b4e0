import Synchronization

/// The lanes of a destination and its workers: asks ``LaneQueue`` what is to be done, and does it outside of its lock. It resumes the
/// workers that wait, and says when one more is to be started.
final class LaneScheduler<Work: Sendable>: Sendable {
    typealias Assignment = LaneAssignment<Work>
    private typealias Queue = LaneQueue<Work, CheckedContinuation<Assignment?, Never>>

    private let queue: Mutex<Queue>
    /// One for each worker that is to be started.
    let starts: AsyncStream<Void>
    private let startsInput: AsyncStream<Void>.Continuation

    /// - Parameters:
    ///   - lanes: How many lanes there are.
    ///   - maximumWorkers: How many workers are started at most.
    init(lanes: Int, maximumWorkers: Int) {
        self.queue = Mutex(Queue(lanes: lanes, maximumWorkers: maximumWorkers))
        (self.starts, self.startsInput) = AsyncStream.makeStream(of: Void.self)
    }

    /// How many workers have been started.
    var workers: Int { self.queue.withLock(\.workers) }

    /// How many of them wait for something to do.
    var waiting: Int { self.queue.withLock(\.waiting) }

    /// Whether a lane is being worked on.
    var isRunning: Bool { self.queue.withLock { $0.running > 0 } }

    // MARK: Work

    /// Adds work to lanes.
    ///
    /// - Parameters:
    ///   - page: The number of the page that it is of, higher than those before.
    ///   - work: What to add to a lane; asked for each, under the lock.
    func add(page: Int, _ work: (_ lane: Int) -> Work?) {
        let wake = self.queue.withLock { queue in
            for lane in 0..<queue.laneCount {
                if let work = work(lane) { queue.add(work, to: lane, page: page) }
            }
            return queue.wakeOne()
        }
        self.perform(wake)
    }

    /// Adds work at the end of a lane, of which the caller is the worker.
    func add(_ work: Work, toOwn lane: Int) {
        self.queue.withLock { $0.add(work, to: lane) }
    }

    /// Adds work at the front of a lane, of which the caller is the worker.
    func addFirst(_ work: [Work], toOwn lane: Int) {
        self.queue.withLock { $0.addFirst(work, to: lane) }
    }

    /// Lets another worker go on with a lane whose worker is still busy.
    ///
    /// - Parameter rest: What comes first of it.
    func takeAway(_ lane: Int, rest: Work?) {
        let wake = self.queue.withLock { queue in
            if let rest { queue.addFirst([rest], to: lane) }
            queue.release(lane)
            return queue.wakeOne()
        }
        self.perform(wake)
    }

    /// Holds back what is of pages of which nothing has begun.
    ///
    /// - Returns: The last page that is finished.
    func hold() -> Int { self.queue.withLock { $0.hold() } }

    /// Holds nothing back any more.
    func goOn() {
        let wake = self.queue.withLock { queue in
            queue.goOn()
            return queue.wakeOne()
        }
        self.perform(wake)
    }

    // MARK: Workers

    /// A worker that was started begins; it asks for work next.
    func begin() {
        self.queue.withLock { $0.begin() }
    }

    /// Waits for work.
    ///
    /// - Parameter finished: The lane that the worker has finished, if it has one.
    /// - Returns: nil: there will be no more.
    func next(finished: Int?) async -> Assignment? {
        // The common case first, without making a continuation.
        switch self.queue.withLock({ $0.next(finished: finished) }) {
        case .work(let assignment, let wake):
            self.perform(wake)
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
                self.perform(wake)
                continuation.resume(returning: assignment)
            case .finished:
                continuation.resume(returning: nil)
            case .wait:
                break
            }
        }
        // Each woken worker wakes the next one, as long as there is work.
        self.perform(self.queue.withLock { $0.wakeOne() })
        return assignment
    }

    /// Ends: what has not begun is dropped, and no worker gets more.
    func close() {
        for worker in self.queue.withLock({ $0.close() }) { worker.resume(returning: nil) }
        self.startsInput.finish()
    }

    private func perform(_ wake: Queue.Wake?) {
        switch wake {
        case .resume(let worker, let assignment): worker.resume(returning: assignment)
        case .start: self.startsInput.yield()
        case nil: break
        }
    }
}
