import DequeModule
import Logging

/// One message at a time, after crashes: see ``CrashWatch``.
extension RelayLoop {
    /// While it is careful, lets the next handler be called when no other is called and the last message is committed, and hands out one
    /// message of each stream. A stream that waits for a destination, or for contact with it, keeps no other stream waiting.
    ///
    /// A call whose note is refused is not begun, and its stream waits; those of other streams take their turn.
    ///
    /// - Returns: When a note that was refused is tried again.
    mutating func deliverAlone() async throws -> ContinuousClock.Instant? {
        guard self.crashWatch.isCareful else { return nil }
        if let call = self.calls.takeFruitless(), let start = self.crashWatch.takeBack(call.stream) {
            try await self.commit(starts: [call.stream: start])
        }
        if self.crashWatch.hasSeenEnough, !self.calls.isUnderWay {
            try await self.endCare()
            return nil
        }
        while let call = self.calls.next(except: self.refusedStreams) {
            // What the call before has led to is there by now, and belongs into the same commit.
            self.collect()
            guard self.streams[call.stream]?.ledger.isUnsettled(call.page) == true else {
                self.calls.refuse(call)
                continue
            }
            let start = self.crashWatch.startAlone(call.stream, id: call.id)
            try await self.commit(alone: (call.stream, start))
            if self.streams[call.stream]?.refused != nil { continue }
            self.crashWatch.beginAlone(call.stream, id: call.id, page: call.page)
            self.calls.grant(call)
        }
        let waiting = self.waiting
        self.waiting.removeAll()
        for page in waiting {
            guard let stream = self.streams[page.stream] else { continue }
            if stream.isDelivering {
                self.waiting.append(page)
            } else {
                let crashes = self.crashWatch.crashes(page.stream, id: page.id(at: 0))
                stream.submit(page, crashes: crashes, calls: self.calls, now: self.clock.now)
            }
        }
        // Its end says when the next one may begin.
        if self.calls.isUnderWay { return nil }
        return self.calls.waitingStreams.compactMap { self.streams[$0]?.refused?.retryAt }.min()
    }

    /// Streams of which the store has refused something that is not to be tried again yet.
    var refusedStreams: Set<StreamID> {
        let now = self.clock.now
        return Set(self.streams.values.lazy.filter { $0.refused.map { now < $0.retryAt } ?? false }.map(\.id))
    }

    /// Drops messages that wait for a destination, or for the note of their start, and pages of which nothing has begun. Another session
    /// reads them again.
    mutating func abandon() {
        self.calls.close()
        for stream in self.streams.values {
            if self.crashWatch.isCareful || stream.start != nil {
                stream.dispatcher.abandon()
            } else {
                stream.dispatcher.abandonIfOpen()
                stream.hold()
            }
            stream.beginning.removeAll()
            // What has not begun is not noted any more. That there is no crash to be remembered still is.
            if stream.start != StreamStart() { stream.start = nil }
        }
    }

    /// Streams whose end of care cannot be noted wait for that, with the calls that have not begun.
    mutating func endCare() async throws {
        for (id, start) in self.crashWatch.finish() { self.streams[id]?.start = start }
        for page in self.waiting { self.streams[page.stream]?.beginning.append(page) }
        self.waiting.removeAll()
        try await self.commit()
        self.calls.free(except: Set(self.streams.values.lazy.filter { $0.start != nil }.map(\.id)))
        self.logger.notice("Many messages at a time are delivered again")
        for stream in self.streams.values where stream.start == nil { self.handOut(stream) }
    }
}
