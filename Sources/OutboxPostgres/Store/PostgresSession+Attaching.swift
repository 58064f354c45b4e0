import Logging
import Outbox
import OutboxSQL

/// Taking streams in, when the session begins and later, and letting them go.
extension PostgresSession {
    func begin(
        with destinations: [Destination], andOthers: Bool, from position: FirstPosition, lookingEvery interval: Duration
    ) async throws -> [AttachedStream] {
        if self.wakeup.pollingInterval == nil {
            try await self.connection.query(LibPQStatement("LISTEN \(self.channel)", []))
        }
        let numbers = try await self.checkNumbers()
        self.numbers.began(lastID: numbers.lastID, filenode: numbers.filenode)
        try await self.join(destinations, andOthers: andOthers, lookingEvery: interval)
        self.watch = StreamWatch(destinations, andOthers: andOthers)
        if position == .now { self.beginsNow = Set(destinations) }
        try await self.lookForDestinations()
        _ = try await self.takeIn(numbers, ofNewSubscription: position == .now)
        // What is removed while the relay works, and made again, does not begin further back than before.
        if position == .now { self.beginsNow.formUnion(self.watch.destinations) }
        _ = try await self.connection.query(
            self.bound(self.statements.announce, [.text(self.announcer.firstName)]))
        self.announcer.began()
        let patience = self.clock.now + .seconds(1)
        while self.clock.now < patience, try await self.lookBackOnce() {}
        return try await self.described(Array(self.streams.all))
    }

    /// The streams that there are and that the session does not have yet, as the relay is told of them.
    func attachOthers() async throws -> [AttachedStream] {
        self.watch.mustAttach = false
        self.numbers.isDue = true
        let streams = try await self.takeIn(try await self.checkNumbers())
        if streams.isEmpty { return [] }
        self.doorbell.rang()
        self.sleepTimer.endPause()
        return try await self.described(streams)
    }

    /// Makes streams of the destinations that have none, takes those that are the session's share, mends the cursors of those that it does not
    /// have yet, and takes them in.
    ///
    /// - Parameter isNewSubscription: Whether a subscription without any stream begins now with all of them.
    /// - Returns: The new ones.
    private func takeIn(_ numbers: Numbers, ofNewSubscription isNewSubscription: Bool = false) async throws
        -> [StreamState]
    {
        let names = LibPQValue.textArray(self.watch.destinations.map(\.name))
        let subscription = LibPQValue.text(self.subscription)
        let load = self.bound(self.statements.load, [subscription, names])
        let present = try await self.connection.pipeline([
            self.sameLog,
            self.bound(
                self.statements.register,
                [
                    subscription, names, .int4(Int32(self.streamsPerDestination)),
                    .textArray(self.beginsNow.map(\.name)), .bool(isNewSubscription),
                ]), load,
        ])[2]
        let stored = try present.map { row in try StreamState(row) }
        self.fleet.loaded(stored, now: self.clock.now)
        if let due = self.fleet.lookDue, self.clock.now >= due { try await self.lookAtFleet() }
        let new = Set(stored.filter(self.isNew).map(\.id))
        self.watch.mustAttach = false
        if new.isEmpty { return [] }
        let results = try await self.connection.pipeline([
            self.sameLog,
            self.bound(
                self.statements.restart,
                [.int4Array(new.map(\.value)), .int8(numbers.lastID), .bool(numbers.rise)]),
            load,
            LibPQStatement("SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())", []),
        ])
        for row in results[1] { self.tellOfRestart(try row.decode(0), cause: try row.decode(1)) }
        let mended = Set(try results[1].map { row in StreamID(try row.decode(2, as: Int32.self)) })
        var streams: [StreamState] = []
        for row in results[2] {
            var stream = try StreamState(row)
            // What has come in between was not looked at: it is taken in next.
            guard new.contains(stream.id) else {
                if self.isNew(stream) { self.watch.mustAttach = true }
                continue
            }
            // Ids below the position may still come: nothing of these is bounded by what was stored.
            if mended.contains(stream.id) { stream.cursor.horizon = nil }
            self.streams.add(stream)
            streams.append(stream)
            if try row.decode(15, as: Bool.self) { self.announcer.outages.found(stream.id, now: self.clock.now) }
        }
        let end = results[3][0].bytes(0).map { bytes in bytes.reduce(0) { $0 << 8 | UInt64($1) } }
        let lookBack = streams.compactMap(LookBack.Stream.init)
        if !lookBack.isEmpty { self.lookBack = LookBack((self.lookBack?.streams ?? []) + lookBack, end: end ?? 0) }
        return streams
    }

    private func isNew(_ stream: StreamState) -> Bool {
        self.streams[stream.id] == nil && self.fleet.owns(stream.id)
    }

    private func described(_ streams: [StreamState]) async throws -> [AttachedStream] {
        let keys = try await self.readDeferredKeys()
        return streams.map { stream in
            AttachedStream(
                id: stream.id, destination: stream.destination, deferredKeys: keys[stream.id] ?? [:],
                start: stream.start)
        }
    }

    /// Lets a stream go. What was read of it and is not committed is void. The relay gives it up when it calls no handler any more.
    func letGo(_ stream: StreamID) {
        self.forget(stream)
        self.fleet.lost(stream)
        self.watch.lost(stream)
    }

    /// Reads a stream no more.
    func forget(_ stream: StreamID) {
        self.streams.remove(stream)
        self.knowledge.forget(stream)
        self.ahead.forget(stream)
        self.lookBack?.streams.removeAll { $0.id == stream }
        self.deferredNews.dueStreams.remove(stream)
        self.watched.remove(stream)
    }

    // MARK: - Looking for streams

    /// When to look for streams that nothing tells of; nil: not before something else happens.
    var lookDue: ContinuousClock.Instant? {
        self.watch.due(
            isWanted: self.fleet.isIncomplete, isWoken: self.doorbell.isHeld || self.doorbell.isKeeperAsleep,
            pollingInterval: self.wakeup.pollingInterval)
    }

    /// Looks for destinations that have come, and for streams of slots that had none.
    func lookForStreams() async throws {
        try await self.lookForDestinations()
        if self.fleet.isIncomplete { _ = try await self.reloadStreams() }
    }

    private func lookForDestinations() async throws {
        let start = self.clock.now
        if self.watch.includesOthers {
            let names = try await self.connection.query(
                self.bound(self.statements.destinations, [.text(self.subscription)]))
            self.watch.found(try names.map { row in Destination(try row.decode(0, as: String.self)) })
        }
        self.watch.looked(from: start, to: self.clock.now)
    }

    /// What has become of streams since the relay was told last; nil: nothing.
    func takeStreamNews() async throws -> ReadResult? {
        if let news = self.watch.takeNews() { return news }
        let surplus = self.fleet.takeSurplus().filter { self.streams[$0] != nil }
        if !surplus.isEmpty { return ReadResult(surplus: surplus) }
        guard self.watch.mustAttach else { return nil }
        let attached = try await self.attachOthers()
        return attached.isEmpty ? nil : ReadResult(attached: attached)
    }
}
