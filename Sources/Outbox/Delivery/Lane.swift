import Synchronization

/// One lane's call of the handler, while it lasts.
///
/// Whoever calls the handler puts its run here and takes it back afterwards. If the call takes long, somebody else takes
/// the run meanwhile and has the lane go on with it: the message is *parked*, and the caller finds nothing.
final class Lane: Sendable {
    private struct State: ~Copyable {
        var lastCall: UInt64 = 0
        /// The run of the call with the number `lastCall`.
        var run: LaneRun?
    }

    private let state = Mutex(State())

    /// The number of the call under way; nil: there is none.
    var call: UInt64? {
        self.state.withLock { state in
            switch state.run {
            case .some: state.lastCall
            case .none: nil
            }
        }
    }

    /// A handler is going to be called.
    ///
    /// - Returns: The call's number.
    func begin(_ run: consuming LaneRun) -> UInt64 {
        var run: LaneRun? = run
        return self.state.withLock { state in
            state.lastCall += 1
            state.run = run.take()
            return state.lastCall
        }
    }

    /// Takes the run of a call: when it has ended, or to park its messages.
    ///
    /// - Returns: nil: somebody else has taken it.
    func take(_ call: UInt64) -> LaneRun? {
        self.state.withLock { state in
            if state.lastCall != call { return nil }
            return state.run.take()
        }
    }
}
