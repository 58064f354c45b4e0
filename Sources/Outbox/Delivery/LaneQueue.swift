import DequeModule

/// A lane and the work that it is to do next.
package struct LaneAssignment<Work> {
    package let lane: Int
    package let work: Work
}

extension LaneAssignment: Sendable where Work: Sendable {}

/// The lanes of a destination: which work may run now, and which worker runs it.
///
/// A lane is sequential: it is worked on by one worker at a time, in the order in which its work came. Work is pulled:
/// a worker that has finished a lane asks for the next one, and waits if there is none. Waking is passed on: a worker that
/// takes a lane while others are ready wakes one more worker, so a burst of fast messages is done by few workers and
/// slow ones get all of them. A worker is started when one is wanted and none waits, and stays from then on.
///
/// Work may be of a page, and it can be held back from the pages on of which nothing has begun: what has begun is finished then, of all
/// lanes, and nothing else is.
///
/// A value type without I/O; `Waiter` is what a waiting worker is woken by.
package struct LaneQueue<Work, Waiter> {
    private enum LaneState {
        case idle
        case ready
        case running
    }

    package typealias Assignment = LaneAssignment<Work>

    /// What is to be done because there is work.
    package enum Wake {
        /// Give a waiting worker what it is to do.
        case resume(Waiter, Assignment)
        /// Start one more worker, which begins with ``begin()``.
        case start
    }

    /// The answer to a worker that asks for work.
    package enum Next {
        /// Do this; and wake another one first, if there is something for it.
        case work(Assignment, wake: Wake?)
        /// Nothing is ready: wait.
        case wait
        /// There will be no more work.
        case finished
    }

    fileprivate struct Entry {
        let work: Work
        /// The number of its page; nil: of one that has begun, or of none.
        let page: Int?
    }

    private var queues: [Deque<Entry>]
    private var states: [LaneState]
    private var ready = Deque<Int>()
    private var waiters: [Waiter] = []
    private var isClosed = false
    private let maximumWorkers: Int
    /// How many workers have been started.
    package private(set) var workers = 0
    /// How many of these have not begun.
    private var starting = 0
    /// How many lanes are being worked on.
    package private(set) var running = 0
    /// The last page of which something has begun.
    private var begun = Int.min
    /// The last page of which something may begin; nil: any may.
    private var limit: Int?

    /// - Parameters:
    ///   - lanes: How many lanes there are.
    ///   - maximumWorkers: How many workers are started at most.
    package init(lanes: Int, maximumWorkers: Int) {
        self.maximumWorkers = maximumWorkers
        self.queues = Array(repeating: [], count: lanes)
        self.states = Array(repeating: .idle, count: lanes)
    }

    /// How many lanes there are.
    package var laneCount: Int { self.queues.count }

    /// How many workers wait for work.
    package var waiting: Int { self.waiters.count }

    /// Adds work to a lane. Follow with ``wakeOne()`` when all is added.
    ///
    /// - Parameter page: The number of its page, not less than that of what is in the lane; nil: it is never held back.
    package mutating func add(_ work: Work, to lane: Int, page: Int? = nil) {
        if self.isClosed { return }
        self.queues[lane].append(Entry(work: work, page: page))
        if self.states[lane] == .idle { self.makeReady(lane) }
    }

    /// A lane that is not being worked on waits for a worker, if there is something that may begin.
    private mutating func makeReady(_ lane: Int) {
        if !self.mayBegin(lane) {
            self.states[lane] = .idle
            return
        }
        self.states[lane] = .ready
        self.ready.append(lane)
    }

    private func mayBegin(_ lane: Int) -> Bool {
        guard let first = self.queues[lane].first else { return false }
        guard let limit, let page = first.page else { return true }
        return page <= limit
    }

    /// Holds back what is of pages of which nothing has begun.
    ///
    /// - Returns: The last page that is finished.
    package mutating func hold() -> Int {
        self.limit = self.begun
        let ready = self.ready
        self.ready.removeAll()
        for lane in ready { self.makeReady(lane) }
        return self.begun
    }

    /// Holds nothing back any more. Follow with ``wakeOne()``.
    package mutating func goOn() {
        self.limit = nil
        for lane in self.queues.indices where self.states[lane] == .idle { self.makeReady(lane) }
    }

    /// Adds work at the front of a lane that is being worked on.
    package mutating func addFirst(_ work: [Work], to lane: Int) {
        if self.isClosed { return }
        self.queues[lane].prepend(contentsOf: work.map { Entry(work: $0, page: nil) })
    }

    /// A lane is free again, although its worker has not asked for other work.
    package mutating func release(_ lane: Int) {
        self.running -= 1
        self.makeReady(lane)
    }

    /// Gives ready work to a waiting worker, or has one started for it, if that is possible.
    package mutating func wakeOne() -> Wake? {
        if self.ready.isEmpty { return nil }
        if let waiter = self.waiters.popLast() { return .resume(waiter, self.take()) }
        // Each that is starting takes one.
        guard self.workers < self.maximumWorkers, self.starting < self.ready.count else { return nil }
        self.workers += 1
        self.starting += 1
        return .start
    }

    /// A worker that was started begins; it asks for work next.
    package mutating func begin() {
        self.starting -= 1
    }

    /// A worker asks for work, having finished `lane` if it has one.
    package mutating func next(finished lane: Int?) -> Next {
        if let lane { self.release(lane) }
        if self.isClosed { return .finished }
        if self.ready.isEmpty { return .wait }
        let assignment = self.take()
        return .work(assignment, wake: self.wakeOne())
    }

    /// A worker that was told to wait does so. Called under the same lock as the ``next(finished:)`` that said so.
    package mutating func wait(_ waiter: Waiter) {
        self.waiters.append(waiter)
    }

    /// Ends: drops what has not begun and returns the waiting workers, which the caller tells that it is over.
    package mutating func close() -> [Waiter] {
        self.isClosed = true
        self.ready.removeAll()
        for lane in self.queues.indices { self.queues[lane].removeAll() }
        defer { self.waiters.removeAll() }
        return self.waiters
    }

    private mutating func take() -> Assignment {
        let lane = self.ready.removeFirst()
        self.states[lane] = .running
        self.running += 1
        let entry = self.queues[lane].removeFirst()
        if let page = entry.page { self.begun = max(self.begun, page) }
        return Assignment(lane: lane, work: entry.work)
    }
}

extension LaneQueue: Sendable where Work: Sendable, Waiter: Sendable {}
extension LaneQueue.Entry: Sendable where Work: Sendable {}
