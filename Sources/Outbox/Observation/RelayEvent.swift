/// Something that a relay did.
///
/// New kinds may be added in a minor version: keep a `default` when you switch.
public enum RelayEvent: Sendable, Hashable {
    /// Other relays have all streams; this one waits for its share, or to take over.
    case standby
    /// The relay has streams and delivers.
    case started
    /// The connection was lost or could not be made; the relay tries again after the delay.
    case disconnected(reason: String, retryAfter: Duration)
    /// The relay has ended gracefully.
    case stopped
    /// A handler has taken the message.
    case delivered(id: Int64, destination: Destination, attempt: Int)
    /// An attempt failed, and the next one is planned; nil: when the earlier messages of its key are settled.
    case retried(id: Int64, destination: Destination, attempts: Int, after: Duration?, error: String)
    /// A handler has had the message for longer than its destination allows: it is deferred (parked), so that messages of other keys pass.
    case parked(id: Int64, destination: Destination)
    /// The destination counts as down: nothing more of it is read, and one message probes it, the first time after the
    /// delay. Until ``closed(destination:)`` or ``disconnected(reason:retryAfter:)``; a new session finds out by itself.
    case opened(destination: Destination, reason: String, retryAfter: Duration)
    /// A probe has failed for another reason than was told last. Numbers in a reason do not make it another one. The next probe
    /// follows after the delay.
    case stillDown(destination: Destination, reason: String, retryAfter: Duration)
    /// The destination is up again: a probe was delivered.
    case closed(destination: Destination)
    /// The message was moved to dead letter.
    case deadLettered(id: Int64, destination: Destination, attempts: Int, reason: Death.Reason, error: String)
}
