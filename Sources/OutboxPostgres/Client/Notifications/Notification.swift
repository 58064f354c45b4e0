/// What a `NOTIFY` has sent.
public struct Notification: Sendable, Hashable {
    /// The channel.
    public let channel: String
    /// The text, empty if there was none.
    public let payload: String
    /// The number of the server process that sent it; compare ``Connection/processID``.
    public let processID: Int32
}
