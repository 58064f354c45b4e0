/// Why a connection cannot be used any more, or was not made.
struct ConnectionLoss: Error, Equatable {
    let reason: String
    /// Whether the broker has ended it because of a message. Then that message must not come again forever.
    var isBlamedOnMessage = false
}
