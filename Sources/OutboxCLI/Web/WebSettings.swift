import OutboxPostgres

/// What the page shows and lets be done.
struct WebSettings: Sendable {
    /// Whether messages and streams can be changed through it.
    var allowsChanges = false
    /// Whether it shows what is in messages.
    var showsPayloads = false
    /// What has to be given; nil: nothing.
    var password: String?
    /// How the relay of the process delivers each destination, nil all others: names of sinks without their addresses.
    var routes: [String?: String] = [:]
    /// What is kept of the log; nil: no relay of this process knows.
    var segments: SegmentPolicy?
}
