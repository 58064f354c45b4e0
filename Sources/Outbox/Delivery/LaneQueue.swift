import DequeModule

/// A lane and the work that it is to do next.
package struct LaneAssignment<Work> {
    package let lane: Int
    package let work: Work
}

extension LaneAssignment: Sendable where Work: Sendable {}

/// The lanes of a destination: which work may run now, and who runs it.
///
/// A lane is sequential: it is worked on by one worker at a time, in the order in which its work came. Work is pulled:
/// a worker that has finished a lane asks for the next one, and waits if there is none. Waking is passed on: whoever
/// takes a lane while others are ready wakes one more worker, so a burst of fast messages is done by few workers and
/// slow ones get all of them.
///
/// A value type without I/O; `Waiter` is what a waiting worker is woken by.
package struct LaneQueue<Work, Waiter> {
    private enum LaneState {
        case idle
        case ready
        case running
    }

    package typealias Assignment = LaneAssignment<Work>

    /// What a worker that asks for work is told.
    package enum Next {
        /// Do this; and wake that one first, if any.
        case work(Assignment, wake: (Waiter, Assignment)?)
        /// Nothing is ready: wait.
        case wait
        /// There will be no more work.
        case finished
    }

    private var queues: [Deque<Work>]
    private var states: [LaneState]
    private var ready = Deque<Int>()
    private var waiters: [Waiter] = []
    private var isClosed = false
    /// How many lanes are being worked on.
    package private(set) var running = 0

    package init(lanes: Int) {
        self.queues = Array(repeating: [], count: lanes)
        self.states = Array(repeating: .idle, count: lanes)
    }

    /// How many lanes there are.
    package var laneCount: Int { self.queues.count }

    /// Adds work to a lane. Follow with ``wakeOne()`` when all is added.
    package mutating func add(_ work: Work, to lane: Int) {
        if self.isClosed { return }
        self.queues[lane].append(work)
        if self.states[lane] == .idle {
            self.states[lane] = .ready
            self.ready.append(lane)
        }
    }

    /// Adds work to a lane that is being worked on, before what it has.
    package mutating func addFirst(_ work: [Work], to lane: Int) {
        if self.isClosed { return }
        self.queues[lane].prepend(contentsOf: work)
    }

    /// A lane is not worked on any more, though its worker has not asked for other work.
    package mutating func release(_ lane: Int) {
        self.running -= 1
        if self.queues[lane].isEmpty {
            self.states[lane] = .idle
        } else {
            self.states[lane] = .ready
            self.ready.append(lane)
        }
    }

    /// Gives ready work to a waiting worker, if there are both.
    package mutating func wakeOne() -> (Waiter, Assignment)? {
        guard !self.ready.isEmpty, let waiter = self.waiters.popLast() else { return nil }
        return (waiter, self.take())
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

    /// Ends: drops what has not begun and returns the waiting workers, who are to be told that it is over.
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
        return Assignment(lane: lane, work: self.queues[lane].removeFirst())
    }
}
