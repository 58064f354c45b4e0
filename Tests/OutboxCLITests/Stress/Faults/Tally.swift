import Synchronization

/// What was done to a run, and how many repetitions that may explain.
final class Tally: Sendable {
    private struct State {
        var counts: [String: Int] = [:]
        var windows = 0
        var ranges = 0
        var recent: [String] = []
        var refusals = 0
    }

    private let state = Mutex(State())

    /// Something was done, after which what was not committed may come again: so many windows.
    func note(_ name: String, windows: Int) {
        self.state.withLock { state in
            state.counts[name, default: 0] += 1
            state.windows += windows
            state.recent = state.recent.suffix(40) + [name]
        }
    }

    /// So many messages that were delivered are to be delivered again.
    func expectAgain(_ messages: Int) { self.state.withLock { $0.ranges += messages } }

    /// So many commits were refused.
    func noteRefusals(_ count: Int) { self.state.withLock { $0.refusals += count } }

    var refusals: Int { self.state.withLock { $0.refusals } }

    /// The windows that may have been repeated.
    var windows: Int { self.state.withLock { $0.windows } }

    /// The messages that were asked for again.
    var ranges: Int { self.state.withLock { $0.ranges } }

    /// The last things that were done, for a failure's report.
    var recent: String { self.state.withLock { $0.recent.joined(separator: ", ") } }

    var description: String {
        self.state.withLock { state in
            state.counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        }
    }
}
