/// What a relay is doing with one of its streams, for observers.
public struct StreamActivity: Sendable, Hashable {
    /// Messages that have been read and are not yet committed.
    public var inFlight: Int
    /// Whether the destination counts as down.
    public var isDown: Bool

    /// Creates the description of what is done.
    package init(inFlight: Int, isDown: Bool) {
        self.inFlight = inFlight
        self.isDown = isDown
    }
}
