import Logging
import OutboxRuntime
import Synchronization

/// Streams that come and go while the loop runs.
///
/// A stream that goes is not committed any more: its messages that are on their way are dropped, and come again with the stream that is
/// there for them then. Handlers finish the calls that they are in. Until they have, nothing is read of another stream of the same
/// destination, so that messages of a key are not delivered by both at the same time.
///
/// One that another relay is to have is finished first, so that nothing of it comes again.
extension RelayLoop {
    /// Delivers a stream from now on.
    mutating func add(_ stream: AttachedStream) {
        guard let handler = self.routes.handler(for: stream.destination) else { return }
        let (session, finished) = (self.session, self.finished)
        let observer = DeliveryObserver(
            destination: stream.destination, subscription: self.settings.subscription, events: self.events,
            logger: self.logger)
        let seats = self.seats[stream.destination] ?? CallSeats(handler.settings.concurrency)
        self.seats[stream.destination] = seats
        let pace = self.paces[stream.destination] ?? handler.settings.maximumRate.map { DeliveryPace($0) }
        self.paces[stream.destination] = pace
        let dispatcher = Dispatcher(
            handler: handler, deferredKeys: stream.deferredKeys, seats: seats, pace: pace, pulse: self.pulse,
            observer: observer
        ) { ticket in
            if finished.add(ticket) { session.wake() }
        } onParkedEnd: { endings in
            if finished.add(endings, of: stream.id) { session.wake() }
        } onChange: {
            session.wake()
        }
        self.workers.start(dispatcher)
        self.streams[stream.id] = StreamDelivery(
            id: stream.id, dispatcher: dispatcher, firstSequence: self.history.add(stream.id),
            pageMessages: self.settings.page.messages, now: self.clock.now)
    }

    /// The session has got a stream.
    mutating func attach(_ stream: AttachedStream, now: ContinuousClock.Instant) {
        let isResumed = self.history.ids.contains(stream.id)
        if !self.crashWatch.isCareful, CrashWatch.isSuspicious(stream.start, isResumed: isResumed) {
            self.suspicious = (
                (self.suspicious?.streams ?? []) + [stream],
                self.suspicious?.deadline ?? now + self.settings.shutdownDeadline
            )
            return
        }
        self.watch(stream, isResumed: isResumed)
        self.add(stream)
        self.logger.info("A stream has come", metadata: [LogKey.destination: "\(stream.destination.inLog)"])
        if self.isStarted { return }
        self.isStarted = true
        self.events.emit(.started)
    }

    private mutating func watch(_ stream: AttachedStream, isResumed: Bool) {
        self.crashWatch.add(
            stream.id, stream.start, isResumed: isResumed,
            firstPage: Self.firstPage(of: stream, self.routes, self.settings))
    }

    /// How many messages of a stream are read first at most; see ``PagePace``.
    static func firstPage(of stream: AttachedStream, _ routes: RelayRoutes, _ settings: RelaySettings.Resolved) -> Int {
        min(routes.handler(for: stream.destination)?.leastPage ?? .max, settings.page.messages)
    }

    /// Takes suspicious streams in as soon as nothing is on its way that could be what ends the process.
    ///
    /// - Returns: Until when that may take; nil: there are none.
    /// - Throws: Where a handler takes longer. It is cancelled with the session, and the next one begins with care.
    mutating func beginCare(now: ContinuousClock.Instant) throws -> ContinuousClock.Instant? {
        guard let (streams, deadline) = self.suspicious else { return nil }
        if self.streams.values.contains(where: { $0.isDelivering || $0.parked.isRunning }) || !self.leaving.isEmpty {
            if now < deadline { return deadline }
            throw RelayError(
                .logChanged,
                """
                Several processes have ended before they had delivered anything of a stream of \(streams[0].destination.name) that has \
                come, and handlers of others have not ended in time: a new session cancels them.
                """)
        }
        self.suspicious = nil
        // Those of an earlier care of this session are free. Nothing waits among them.
        let session = self.session
        self.calls = WatchedCalls { session.wake() }
        for stream in streams {
            self.watch(stream, isResumed: self.history.ids.contains(stream.id))
        }
        self.tellOfCare()
        for stream in streams { self.attach(stream, now: now) }
        return now
    }

    // MARK: - Handing over

    /// Releases the streams that are for other relays and are finished.
    ///
    /// - Returns: Until when the rest may take; nil: there is none.
    mutating func handOver(now: ContinuousClock.Instant) async throws -> ContinuousClock.Instant? {
        if self.handovers.isEmpty { return nil }
        var finished: [StreamDelivery] = []
        for (id, deadline) in self.handovers {
            if let stream = self.streams[id], stream.isFinished, !self.waiting.contains(where: { $0.stream == id }) {
                finished.append(stream)
            } else if now >= deadline || self.streams[id] == nil {
                // A handler takes long, or the destination is down. Meanwhile nothing would be delivered.
                self.handovers[id] = nil
                self.streams[id]?.goOn()
            }
        }
        for stream in finished {
            stream.start = self.crashWatch.finish(stream.id)
        }
        if finished.contains(where: { $0.start != nil }) { try await self.commit() }
        finished.removeAll { !$0.isFinished }
        if !finished.isEmpty {
            try await self.session.release(finished.map(\.id))
            for stream in finished { self.gave(stream) }
        }
        return self.handovers.values.min()
    }

    private mutating func gave(_ stream: StreamDelivery) {
        self.handovers[stream.id] = nil
        self.streams[stream.id] = nil
        stream.leave()
        self.workers.remove(stream.dispatcher)
        self.calls.forget(stream.id)
        self.crashWatch.remove(stream.id)
        self.history.remove(stream.id)
        self.logger.info(
            "A stream is handed over to another relay", metadata: [LogKey.destination: "\(stream.destination.inLog)"])
    }

    /// The session has lost a stream.
    mutating func detach(_ id: StreamID, now: ContinuousClock.Instant) {
        self.suspicious?.streams.removeAll { $0.id == id }
        if self.suspicious?.streams.isEmpty == true { self.suspicious = nil }
        self.handovers[id] = nil
        guard let stream = self.streams.removeValue(forKey: id) else { return }
        stream.leave()
        self.calls.forget(id)
        self.crashWatch.remove(id)
        self.waiting.removeAll { $0.stream == id }
        self.leaving.append((stream, now + self.settings.shutdownDeadline))
        self.logger.info(
            "A stream is gone, or has changed; what was read of it and is not committed is dropped",
            metadata: [LogKey.destination: "\(stream.destination.inLog)"])
    }

    /// Forgets the streams that are gone and of which no handler is being called any more.
    ///
    /// - Returns: Until when the rest may take; nil: there is none.
    /// - Throws: Where a handler takes longer. It is cancelled with the session.
    mutating func dismissLeft(now: ContinuousClock.Instant) async throws -> ContinuousClock.Instant? {
        if self.leaving.isEmpty { return nil }
        let left = self.leaving.lazy.map(\.stream).filter(\.hasLeft)
        for stream in left { self.workers.remove(stream.dispatcher) }
        let ids = left.map(\.id)
        self.leaving.removeAll { $0.stream.hasLeft }
        if !ids.isEmpty { try await self.session.release(Array(ids)) }
        if let late = self.leaving.first(where: { $0.deadline <= now }) {
            throw RelayError(
                .logChanged,
                """
                A stream of \(late.stream.destination.name) is gone, and its handlers have not ended in time: a new session cancels them.
                """)
        }
        return self.leaving.map(\.deadline).min()
    }

    /// Whether there is something that is still going to end by itself.
    var isWorking: Bool {
        self.streams.values.contains(where: \.isWorking) || self.leaving.contains { !$0.stream.hasLeft }
    }
}

/// Which streams a process has delivered, and how many its sessions have had.
final class StreamHistory: Sendable {
    private let state = Mutex<(ids: Set<StreamID>, count: Int)>(([], 0))

    /// The streams that this process has begun to deliver and has not handed over.
    var ids: Set<StreamID> { self.state.withLock(\.ids) }

    /// A stream is delivered from now on.
    ///
    /// - Returns: The number of its first page, with room for more pages than it will have.
    func add(_ id: StreamID) -> Int {
        self.state.withLock { state in
            state.ids.insert(id)
            state.count += 1
            return state.count << 32
        }
    }

    /// Another relay may deliver a stream before this one has it again.
    func remove(_ id: StreamID) { self.state.withLock { _ = $0.ids.remove(id) } }
}
