import Logging
import OutboxRuntime

/// Streams that come and go while the loop runs.
///
/// A stream that goes is not committed any more: its messages that are on their way are dropped, and come again with the stream that is
/// there for them then. Handlers finish the calls that they are in. Until they have, nothing is read of another stream of the same
/// destination, so that messages of a key are not delivered by both at the same time.
extension RelayLoop {
    /// Delivers a stream from now on.
    mutating func add(_ stream: AttachedStream) {
        guard let handler = self.routes.handler(for: stream.destination) else { return }
        let (session, finished) = (self.session, self.finished)
        let observer = DeliveryObserver(
            destination: stream.destination, subscription: self.settings.subscription, events: self.events,
            logger: self.logger)
        let dispatcher = Dispatcher(
            handler: handler, deferredKeys: stream.deferredKeys, observer: observer
        ) { ticket in
            if finished.add(ticket) { session.wake() }
        } onParkedEnd: { endings in
            if finished.add(endings, of: stream.id) { session.wake() }
        } onChange: {
            session.wake()
        }
        self.workers.start(dispatcher)
        self.streams[stream.id] = StreamDelivery(
            id: stream.id, dispatcher: dispatcher, firstSequence: self.history.add(stream.id), now: self.clock.now)
    }

    /// The session has got a stream.
    ///
    /// - Throws: Where it is to be delivered with care, which a session begins with.
    mutating func attach(_ stream: AttachedStream) throws {
        let isResumed = self.history.contains(stream.id)
        guard self.crashWatch.add(stream.id, stream.start, isResumed: isResumed) else {
            throw RelayError(
                .logChanged,
                """
                Several processes have ended before they had delivered anything of a stream of \(stream.destination.name) that has \
                come: a new session begins with one message at a time.
                """)
        }
        self.add(stream)
        self.logger.info("A stream has come", metadata: [LogKey.destination: "\(stream.destination)"])
    }

    /// The session has lost a stream.
    mutating func detach(_ id: StreamID, now: ContinuousClock.Instant) {
        guard let stream = self.streams.removeValue(forKey: id) else { return }
        stream.leave()
        self.calls.forget(id)
        self.crashWatch.remove(id)
        self.waiting.removeAll { $0.stream == id }
        self.leaving.append((stream, now + self.settings.shutdownDeadline))
        self.logger.info(
            "A stream is gone, or has changed; what was read of it and is not committed is dropped",
            metadata: [LogKey.destination: "\(stream.destination)"])
    }

    /// Forgets the streams that are gone and of which no handler is being called any more.
    ///
    /// - Returns: Until when the rest may take; nil: there is none.
    /// - Throws: Where a handler takes longer. It is cancelled with the session.
    mutating func dismissLeft(now: ContinuousClock.Instant) throws -> ContinuousClock.Instant? {
        if self.leaving.isEmpty { return nil }
        for (stream, _) in self.leaving where stream.hasLeft { self.workers.remove(stream.dispatcher) }
        self.leaving.removeAll { $0.stream.hasLeft }
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

/// Which streams a process has delivered, and how many there were in this session.
struct StreamHistory {
    /// Whether it has delivered in a session before, which streams are not known.
    let isResumed: Bool
    private var ids: Set<StreamID> = []
    private var count = 0

    init(isResumed: Bool) { self.isResumed = isResumed }

    /// Whether this process has delivered a stream before.
    func contains(_ id: StreamID) -> Bool { self.isResumed || self.ids.contains(id) }

    /// A stream is delivered from now on.
    ///
    /// - Returns: The number of its first page, with room for more pages than it will have.
    mutating func add(_ id: StreamID) -> Int {
        self.ids.insert(id)
        self.count += 1
        return self.count << 32
    }
}
