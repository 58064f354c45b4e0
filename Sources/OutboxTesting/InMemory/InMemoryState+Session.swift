import Outbox
import OutboxRuntime

extension InMemoryState {
    /// A session that has not been closed.
    struct Session {
        let subscription: String
        let signal: Signal
        var isCut = false
        /// Whether it shares the subscription's streams.
        var hasJoined = false
        /// The destinations that it has routes for, and whether it has one for all others too.
        var destinations: [Destination] = []
        var includesOthers = false
        /// The streams that it owns.
        var streams: Set<StreamID> = []
        /// Streams that it has lost, which it was not told yet.
        var lost: [StreamID] = []
        /// Streams that it has lost and not released.
        var leaving: Set<StreamID> = []
        /// Streams that it was asked to give up, and when.
        var asked: [StreamID: Timestamp] = [:]
        /// Whether there are streams that it has not been told of.
        var mustAttach = false
        var deferredChanged = false
    }
}
