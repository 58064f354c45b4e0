/// Whether messages come in that are for other relays: a bell that is taken then makes each of their producers ring.
///
/// A value type without I/O or clock.
struct LogTraffic: Sendable {
    private var lastID: Int64?
    /// How many messages this session has read since.
    private var readCount: Int64 = 0

    /// The session has read messages of the log.
    mutating func read(_ count: Int) { self.readCount += Int64(count) }

    /// Whether more ids were given since the last look than this session has read messages.
    ///
    /// - Parameter lastID: The last id that a message was given.
    mutating func isForOthers(lastID: Int64) -> Bool {
        defer { (self.lastID, self.readCount) = (lastID, 0) }
        guard let before = self.lastID else { return false }
        return lastID - before > self.readCount
    }
}
