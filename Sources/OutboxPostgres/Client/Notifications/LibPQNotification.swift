/// What a `NOTIFY` has sent.
package struct LibPQNotification: Sendable, Hashable {
    /// The channel.
    package let channel: String
    /// The text, empty if there was none.
    package let payload: String
    /// The number of the server process that sent it; compare ``LibPQConnection/processID``.
    package let processID: Int32
}
