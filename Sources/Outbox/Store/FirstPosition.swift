/// Where in the log a subscription begins with a destination of which it has no stream yet.
///
/// It is asked for once, when a relay creates the stream; the cursor says the rest from then on. Of several relays that create the
/// same stream at the same time, the first one decides.
public struct FirstPosition: Sendable, Hashable, CustomStringConvertible {
    private enum Kind: String { case startOfLog, now }

    private let kind: Kind

    /// The oldest message that the log has kept.
    public static let startOfLog = FirstPosition(kind: .startOfLog)

    /// What is committed from now on: of a transaction that was open when the stream was created, all; of one that had committed, nothing.
    ///
    /// That is for destinations that the relay has a route for, and, where a route is for all others, for those that there are messages for
    /// when the subscription has no stream at all. A destination that gets its first message later begins with that one.
    public static let now = FirstPosition(kind: .now)

    /// The name.
    public var description: String { self.kind.rawValue }
}
