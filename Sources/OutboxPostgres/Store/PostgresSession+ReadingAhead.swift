import Outbox

/// While a backlog is read, the server is asked for the next page before the relay asks: it reads that page while the relay
/// hands out the one before.
///
/// What is asked for is an ordinary poll, with a snapshot of its own. Its answer is taken over before anything else is done with
/// the connection, so that whatever moves a cursor finds it where the last page has put it.
extension PostgresSession {
    /// Asks for what the relay will want next, if that is to be read at once and nothing else is to be done before.
    func readAhead(_ requests: [ReadRequest], after result: ReadResult) async throws(PostgresError) {
        guard case .poll(let release, arm: false) = self.doorbell.step, !self.isLogReplaced else { return }
        if await self.hasOtherWork { return }
        for request in requests {
            // A late and a fresh page have taken the room already.
            let pageCount = result.pages.count { $0.stream == request.stream }
            if request.deferred || !request.hasRoomForMore || pageCount > 1 { return }
        }
        let requests = requests.filter { self.streams[$0.stream]?.isPaused == false }
        if requests.isEmpty { return }
        self.ahead = .sent(try await self.send(requests, release: release, arm: false))
    }

    /// What was read ahead; nil: nothing was, or nothing was there.
    func takeAhead(_ requests: [ReadRequest]) async throws(PostgresError) -> ReadResult? {
        try await self.receiveAhead()
        guard case .received(var result) = self.ahead else { return nil }
        self.ahead = nil
        if result.pages.isEmpty && !self.isLogReplaced { return nil }
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
    func receiveAhead() async throws(PostgresError) {
        guard case .sent(let poll) = self.ahead else { return }
        self.ahead = nil
        self.ahead = .received(try await self.receive(poll))
    }

    /// Whether something is to be done between two reads.
    private var hasOtherWork: Bool {
        get async {
            if self.deferredIsUncertain { return true }
            if await self.connection.hasArrivedNotifications { return true }
            let due = [self.janitorDue, self.activitySchedule?.due, self.reloadDue].compactMap { $0 }.min()
            return due.map { $0 <= self.clock.now } ?? false
        }
    }
}
