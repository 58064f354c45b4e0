/// A settlement of one stream that the store has refused to make durable, and when it is tried again.
///
/// The outcomes are known and the session goes on, so they are kept: delivering the messages again, as a new session would have to,
/// would repeat them for as long as the cause lasts. Where it was the start of a delivery that was refused, nothing is delivered.
struct RefusedCommit {
    /// What is to be made durable; nil: only the start of a delivery was refused, which ``StreamDelivery/start`` has, or a
    /// handler's call that waits.
    var work: CommitWork?
    /// How often it was tried.
    private(set) var attempts = 0
    /// When it is tried again.
    private(set) var retryAt: ContinuousClock.Instant
    /// Why it was refused the last time.
    private(set) var reason = ""
    private var lastTold: ContinuousClock.Instant?

    private static let shortestPause = Duration.milliseconds(500)
    private static let longestPause = Duration.seconds(10)
    private static let tellingInterval = Duration.seconds(60)

    init(now: ContinuousClock.Instant) {
        self.retryAt = now
    }

    private var pages: [PageTicket] { self.work?.pages ?? [] }
    /// Messages of the log in it.
    var messages: Int { self.pages.reduce(0) { $0 + ($1.page.origin == .log ? $1.page.count : 0) } }
    /// Their bytes.
    var bytes: Int { self.pages.reduce(0) { $0 + ($1.page.origin == .log ? $1.page.byteCount : 0) } }
    /// Whether something that was delivered would be delivered again without it.
    var hasOutcomes: Bool { self.work.map { !$0.pages.isEmpty || !$0.endings.isEmpty } ?? false }

    /// Adds a note of this process's start to the next attempt.
    mutating func note(_ start: StreamStart, of stream: StreamID) {
        var work = self.work ?? CommitWork(settlement: Settlement(stream: stream), pages: [], endings: [])
        work.settlement.start = start
        self.work = work
    }

    /// It was refused once more.
    ///
    /// - Returns: Whether to log it: it is the first time, has another reason, or was not logged for a minute.
    mutating func refused(_ reason: String, now: ContinuousClock.Instant) -> Bool {
        self.attempts += 1
        var pause = Self.shortestPause
        for _ in 1..<min(self.attempts, 8) { pause = min(pause * 2, Self.longestPause) }
        self.retryAt = now + pause
        let isNews = reason != self.reason || self.lastTold.map { now - $0 >= Self.tellingInterval } ?? true
        self.reason = reason
        if isNews { self.lastTold = now }
        return isNews
    }
}

/// What one commit has of one stream.
struct CommitWork {
    var settlement: Settlement
    let pages: [PageTicket]
    let endings: [ParkedMessages.Ending]
}
