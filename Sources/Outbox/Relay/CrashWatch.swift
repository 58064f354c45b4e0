/// Finds the message that ends the process each time it is delivered.
///
/// The first pages that a process reads of a stream are a *start*, which is noted before they are delivered and struck out when
/// they are committed. The third start in a row is *careful*: one message at a time is delivered, of all streams, and noted
/// when its handler is going to be called, not before: a process that is killed while it waits for a destination has begun
/// nothing. So the one that was noted last is the one that ended the process.
///
/// A note costs a row for a process and stream, not for a page. A value type without I/O or clock.
package struct CrashWatch: Sendable {
    /// With which start messages are delivered one at a time.
    package static let carefulStart = 3

    private struct Stream {
        /// What the store has.
        var stored: StreamStart
        /// Which message was begun how often and ended the process each time.
        let suspect: (id: Int64, crashes: Int)?
        /// How many messages its first page has at most.
        let firstPage: Int
        /// Whether this process's start is noted, or need not be.
        var isBegun: Bool
        /// The pages that it began with; nil: they are finished, or have not been read.
        var first: Set<Int>?
        /// The message that is noted because its handler is being called, and its page.
        var alone: (id: Int64, page: Int)?

        init(_ start: StreamStart, isResumed: Bool, firstPage: Int) {
            self.firstPage = firstPage
            let crashes = start.suspectAttempts - (isResumed ? 1 : 0)
            self.stored = start
            self.suspect = start.suspect.flatMap { crashes > 0 ? ($0, crashes) : nil }
            self.isBegun = isResumed
        }

        /// How often the process has ended while a message was delivered alone.
        func crashes(of id: Int64) -> Int { self.suspect?.id == id ? self.suspect?.crashes ?? 0 : 0 }
    }

    private var streams: [StreamID: Stream]
    /// How many messages more are delivered one at a time.
    private var remaining: Int
    /// Whether one message at a time is delivered.
    package private(set) var isCareful: Bool

    /// - Parameters:
    ///   - starts: What the store knows of the streams.
    ///   - resumed: The streams that this process has delivered before, so that it was no crash that ended its last session.
    ///   - firstPage: How many messages of a stream are read first at most, and delivered one at a time, if any are.
    package init(_ starts: [StreamID: StreamStart], resumed: Set<StreamID>, firstPage: (StreamID) -> Int) {
        self.streams = [:]
        self.isCareful = false
        self.remaining = 0
        for (id, start) in starts {
            let isResumed = resumed.contains(id)
            let count = firstPage(id)
            self.streams[id] = Stream(start, isResumed: isResumed, firstPage: count)
            self.remaining += count
            if Self.isSuspicious(start, isResumed: isResumed) { self.isCareful = true }
        }
    }

    /// Whether so many processes have ended before they had finished anything that messages are to be delivered one at a time.
    ///
    /// - Parameters:
    ///   - start: What the store knows of a stream.
    ///   - isResumed: Whether this process has delivered it before.
    package static func isSuspicious(_ start: StreamStart, isResumed: Bool) -> Bool {
        start.count + (isResumed ? 0 : 1) >= Self.carefulStart
    }

    /// Whether as many messages were delivered alone as processes begin with. What ends the process and comes behind them is found by
    /// the next starts, which begin there.
    package var hasSeenEnough: Bool { self.remaining <= 0 }

    /// A stream has come. Where it is suspicious, one message at a time is delivered from now on, of all streams: nothing may be on its
    /// way then.
    ///
    /// - Parameters:
    ///   - start: What the store knows of it.
    ///   - isResumed: Whether this process has delivered it before.
    ///   - firstPage: How many messages of it are read first at most.
    package mutating func add(_ stream: StreamID, _ start: StreamStart, isResumed: Bool, firstPage: Int) {
        let known = self.streams[stream]?.firstPage ?? 0
        self.streams[stream] = Stream(start, isResumed: isResumed, firstPage: firstPage)
        if self.isCareful {
            self.remaining += firstPage - known
        } else if Self.isSuspicious(start, isResumed: isResumed) {
            self.isCareful = true
            self.remaining = self.streams.values.reduce(0) { $0 + $1.firstPage }
        }
    }

    /// A stream is given up with everything finished.
    ///
    /// - Returns: What is to be stored; nil: nothing.
    package mutating func finish(_ stream: StreamID) -> StreamStart? {
        guard let known = self.streams[stream], known.stored != StreamStart() else { return nil }
        self.streams[stream]?.stored = StreamStart()
        self.streams[stream]?.first = nil
        return StreamStart()
    }

    /// A stream is gone.
    package mutating func remove(_ stream: StreamID) { self.streams[stream] = nil }

    /// What the store has of a stream.
    package func stored(_ stream: StreamID) -> StreamStart? { self.streams[stream]?.stored }

    /// What is to be stored before pages are delivered; nil: nothing.
    package func start(of stream: StreamID) -> StreamStart? {
        guard let known = self.streams[stream], !known.isBegun else { return nil }
        return StreamStart(count: known.stored.count + 1)
    }

    /// Pages are delivered, and what ``start(of:)`` has said is stored.
    ///
    /// - Parameter pages: The pages' numbers.
    /// - Returns: What is stored; nil: nothing was to be.
    @discardableResult
    package mutating func begin(_ stream: StreamID, pages: [Int]) -> StreamStart? {
        guard var known = self.streams[stream] else { return nil }
        defer { self.streams[stream] = known }
        if known.isBegun {
            // Of a resumed process, what it delivers first says whether what was noted still holds.
            if known.stored.count > 0, known.first == nil { known.first = Set(pages) }
            return nil
        }
        known.stored = StreamStart(count: known.stored.count + 1)
        known.isBegun = true
        known.first = Set(pages)
        return known.stored
    }

    /// How often the process has ended while a message was delivered alone.
    package func crashes(_ stream: StreamID, id: Int64) -> Int { self.streams[stream]?.crashes(of: id) ?? 0 }

    /// What is to be stored before the handler is called with one message, and no other.
    package func startAlone(_ stream: StreamID, id: Int64) -> StreamStart {
        guard let known = self.streams[stream] else { return StreamStart() }
        let count = known.isBegun ? known.stored.count : known.stored.count + 1
        return StreamStart(count: count, suspect: id, suspectAttempts: known.crashes(of: id) + 1)
    }

    /// The handler is called with one message, and no other, and what ``startAlone(_:id:)`` has said is stored.
    ///
    /// - Parameter page: The number of the message's page.
    /// - Returns: What is stored.
    @discardableResult
    package mutating func beginAlone(_ stream: StreamID, id: Int64, page: Int) -> StreamStart {
        self.remaining -= 1
        let start = self.startAlone(stream, id: id)
        self.streams[stream]?.isBegun = true
        self.streams[stream]?.alone = (id, page)
        self.streams[stream]?.stored = start
        return start
    }

    /// The handler has found its destination down: what was noted was no attempt.
    ///
    /// - Returns: What is to be stored; nil: nothing.
    package mutating func takeBack(_ stream: StreamID) -> StreamStart? {
        guard var known = self.streams[stream], let alone = known.alone else { return nil }
        defer { self.streams[stream] = known }
        let crashes = known.crashes(of: alone.id)
        known.alone = nil
        // What is known of earlier processes stays.
        known.stored = StreamStart(
            count: known.stored.count, suspect: crashes > 0 ? alone.id : nil, suspectAttempts: crashes)
        return known.stored
    }

    /// Pages are going to be committed.
    ///
    /// - Returns: What is to be stored with them; nil: nothing.
    package mutating func commit(_ stream: StreamID, pages: [Int]) -> StreamStart? {
        guard !pages.isEmpty, var known = self.streams[stream] else { return nil }
        defer { self.streams[stream] = known }
        if known.stored.suspect != nil {
            if let alone = known.alone, !pages.contains(alone.page) { return nil }
            // The process has survived it.
            known.alone = nil
            known.stored = StreamStart(count: known.stored.count)
            return known.stored
        }
        guard known.first != nil else { return nil }
        known.first?.subtract(pages)
        if known.first?.isEmpty != true { return nil }
        known.first = nil
        known.stored = StreamStart()
        return known.stored
    }

    /// Nothing is left to be delivered alone, or the process ends gracefully.
    ///
    /// - Returns: What is to be stored.
    package mutating func finish() -> [StreamID: StreamStart] {
        self.isCareful = false
        var changes: [StreamID: StreamStart] = [:]
        for (id, stream) in self.streams {
            if stream.stored != StreamStart() { changes[id] = StreamStart() }
            self.streams[id]?.stored = StreamStart()
            self.streams[id]?.first = nil
            self.streams[id]?.alone = nil
            self.streams[id]?.isBegun = true
        }
        return changes
    }
}
