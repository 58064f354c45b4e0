import Outbox

/// A poll that was sent before the relay has asked for it, and the pages that it brought, until the relay does.
struct ReadAhead {
    private enum State {
        case none
        case sent(PostgresSession.SentPoll)
        case received([any MessagePage])
    }

    private var state = State.none

    /// Whether another poll may be sent.
    var isEmpty: Bool {
        if case .none = self.state { true } else { false }
    }

    var isSent: Bool {
        if case .sent = self.state { true } else { false }
    }

    mutating func sent(_ poll: PostgresSession.SentPoll) { self.state = .sent(poll) }

    /// The poll whose answer is to be received, and given to ``received(_:)``; nil: there is none.
    mutating func takeSent() -> PostgresSession.SentPoll? {
        guard case .sent(let poll) = self.state else { return nil }
        self.state = .none
        return poll
    }

    mutating func received(_ pages: [any MessagePage]) { self.state = .received(pages) }

    /// Drops the pages of a stream that is not the session's any more.
    mutating func forget(_ stream: StreamID) {
        guard case .received(let pages) = self.state else { return }
        self.state = .received(pages.filter { $0.stream != stream })
    }

    /// The pages that are asked for, of streams that are not paused. Those that are not are kept; those that were read before
    /// a cursor was put elsewhere are void.
    ///
    /// - Returns: nil: nothing was received.
    mutating func take(_ requests: [ReadRequest], _ streams: StreamTable) -> [any MessagePage]? {
        guard case .received(let pages) = self.state else { return nil }
        let asked = Set(requests.filter { $0.messages > 0 }.map(\.stream))
        var taken: [any MessagePage] = []
        var kept: [any MessagePage] = []
        for page in pages where streams[page.stream]?.generation == (page as? PostgresPage)?.generation {
            if asked.contains(page.stream), streams[page.stream]?.isPaused == false {
                taken.append(page)
            } else {
                kept.append(page)
            }
        }
        self.state = kept.isEmpty ? .none : .received(kept)
        return taken
    }
}
