import DequeModule

/// The requests to one host: how many are under way, and those that wait for their turn.
//
// A class, so that a request leads to it without its host being looked up again. Used by the client's thread only.
final class HostQueue {
    let origin: String
    let limit: Int
    /// The time from one request to the next; nil: none.
    let spacing: Duration?
    private(set) var underWay = 0
    private var waiting: Deque<HTTPTransfer> = []
    /// When the next one may be sent.
    private var nextTurn: ContinuousClock.Instant?
    /// What it was before the last request had its turn.
    private var lastTurn: ContinuousClock.Instant?

    /// Whether a request was added, or is finished, and the next was not asked for since.
    var isTouched = false

    init(_ origin: String, _ configuration: HTTPConfiguration) {
        self.origin = origin
        self.limit = configuration.requestsPerHost
        self.spacing = configuration.requestsPerSecondAndHost.map { .seconds(1 / $0) }
    }

    /// Whether it holds nothing that is not for all hosts.
    var isIdle: Bool {
        self.underWay == 0 && self.waiting.isEmpty && self.nextTurn.map { $0 <= .now } ?? true
    }

    func append(_ transfer: HTTPTransfer) { self.waiting.append(transfer) }

    /// The next request whose turn it is. It is under way from now on.
    func next() -> HTTPTransfer? {
        if self.underWay >= self.limit { return nil }
        if let turn = self.nextTurn, turn > .now { return nil }
        while let transfer = self.waiting.popFirst() {
            // Taken back while it waited, and finished then.
            if transfer.recalled != .none { continue }
            self.underWay += 1
            self.lastTurn = self.nextTurn
            if let spacing {
                // A turn that was late by less than the spacing is made up for.
                let now = ContinuousClock.now
                self.nextTurn = max(self.nextTurn ?? now, now - spacing) + spacing
            }
            return transfer
        }
        return nil
    }

    /// Lets those go that wait, which lead to it themselves: the client has ended.
    func letGo() { self.waiting.removeAll() }

    /// A request is not under way any more.
    func finish() { self.underWay -= 1 }

    /// The request that ``next()`` has just returned is not sent: the turn is the next one's.
    func giveBack() {
        self.underWay -= 1
        self.nextTurn = self.lastTurn
    }

    /// When another request has its turn, though nothing else happens. It may be over by now.
    var wakeTime: ContinuousClock.Instant? {
        self.waiting.isEmpty || self.underWay >= self.limit ? nil : self.nextTurn
    }
}
