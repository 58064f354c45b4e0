import Outbox

/// While a backlog is read, the server is asked for the next page before the relay asks: it reads that page while the relay
/// hands out the one before.
///
/// What is asked for is an ordinary poll, with a snapshot of its own. Its answer is taken over before anything else is done with
/// the connection, so that whatever moves a cursor finds it where the last page has put it. What the relay does not want by then
/// is kept until it does: it may be ending, a destination be down, a stream paused.
extension PostgresSession {
    /// Asks for what the relay will want next, if that is to be read at once and nothing else is to be done before.
    func readAhead(_ requests: [ReadRequest], after result: ReadResult) async throws(LibPQError) {
        guard self.ahead.isEmpty, case .poll(let release, arm: false) = self.doorbell.step else { return }
        if self.isLogReplaced { return }
        if await self.hasOtherWork { return }
        for request in requests {
            // A late and a fresh page have taken the room already.
            let pageCount = result.pages.count { $0.stream == request.stream }
            if request.deferred || !request.hasRoomForMore || pageCount > 1 { return }
        }
        let requests = requests.filter { self.streams[$0.stream]?.isPaused == false }
        if requests.isEmpty { return }
        self.ahead.sent(try await self.send(requests, release: release, arm: false))
    }

    /// What was read ahead and is asked for; nil: nothing is.
    func takeAhead(_ requests: [ReadRequest]) async throws(LibPQError) -> ReadResult? {
        try await self.receiveAhead()
        if self.isLogReplaced { return ReadResult() }
        guard let pages = self.ahead.take(requests, self.streams) else { return nil }
        var result = ReadResult(pages: pages)
        if result.pages.isEmpty { return nil }
        var requests = requests
        // They were not asked for, and would be asked for no more.
        if let deferred = try await self.readDeferred(&requests) {
            result.pages += deferred.pages
            result.nextDue = deferred.nextDue
            return result
        }
        try await self.readAhead(requests, after: result)
        return result
    }

    /// Takes over what was asked for ahead, before something else is done with the connection or a cursor.
    func receiveAhead() async throws(LibPQError) {
        guard let poll = self.ahead.takeSent() else { return }
        self.ahead.received(try await self.receive(poll).pages)
    }

    /// Whether something is to be done between two reads.
    private var hasOtherWork: Bool {
        get async {
            if self.deferredNews.isUncertain { return true }
            if await self.connection.hasArrivedNotifications { return true }
            if self.watch.mustAttach { return true }
            let due = [
                self.janitorDue, self.announcer.due, self.reloadDue, self.deferredNews.due, self.lookDue,
                self.fleet.lookDue,
            ].compactMap { $0 }.min()
            return due.map { $0 <= self.clock.now } ?? false
        }
    }
}
