import Outbox

/// How the relay of the process is at this moment.
struct RelayHealth: Sendable {
    let state: RelayState
    /// Whether the process has been asked to end.
    let isEnding: Bool
    /// How many streams the relay has.
    let streamCount: Int

    /// Whether a relay is there: one that looks for its server is, and one that ends.
    var isAlive: Bool { self.isEnding || self.state.phase != .ended }
}
