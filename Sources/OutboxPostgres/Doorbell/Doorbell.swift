/// When a relay polls, when it pauses, and when it may sleep until a producer rings.
///
/// A producer takes the bell shared, without waiting, and holds it to the end of its transaction; if it cannot, because
/// a relay holds the bell, it NOTIFYs. A relay that finds nothing takes the bell exclusively, without waiting:
///
/// - refused: a producer that will not ring is in flight. Poll again soon.
/// - granted: every producer that decided not to ring has ended. Poll once more, then sleep: any producer from now on
///   rings.
///
/// Taking the bell and the poll after it are one step here (``Step/poll(release:arm:)``) and one pipeline on the wire.
/// While messages keep coming the relay polls every few milliseconds and never takes the bell, as network drivers turn
/// from interrupts to polling (NAPI). Where they come one by one, far apart, polls between them would find nothing: the bell is taken
/// with the first that could.
///
/// A value type without I/O or clock.
struct Doorbell: Sendable, Hashable {
    /// What to do next.
    enum Step: Hashable {
        /// Try to take the bell if `arm`, then read; release it meanwhile if `release`.
        case poll(release: Bool, arm: Bool)
        /// Wait that long before asking again.
        case pause(Duration)
        /// Wait until a producer rings.
        case sleep
    }

    /// What a poll has found.
    enum Found: Hashable, Comparable {
        case nothing
        /// Nothing so far, and not everything was looked at.
        case partial
        /// Messages, and all there were.
        case some
        /// Messages, and there may be more.
        case full
    }

    private enum State: Hashable {
        /// To poll at once.
        case due
        /// To pause, then poll.
        case pausing
        /// The bell is held and nothing was there after it was taken.
        case asleep
    }

    /// Times and counts by which the doorbell decides.
    struct Policy: Sendable, Hashable {
        /// The first pause after a poll that did not fill its page.
        var shortestPause: Duration = .milliseconds(1)
        /// From how many messages in a poll on the next pause doubles: so many come anyway, and each poll takes processor time
        /// from the producers.
        var manyMessages = 16
        /// What such a pause never exceeds.
        var longestBusyPause: Duration = .milliseconds(4)
        /// What a pause, doubling while nothing is found, never exceeds.
        var longestPause: Duration = .milliseconds(20)
        /// How many polls in a row find nothing before the bell is taken, as long as messages come near to each other.
        var pollsBeforeArming = 3
        /// Messages that come further apart than this, on average, come one by one: the bell is taken with the poll that follows each.
        var farApart: Duration = .milliseconds(10)
        /// Messages that come closer together than this no longer count as coming one by one.
        var nearApart: Duration = .milliseconds(5)
        /// Whether taking the bell comes with another poll. False breaks the protocol: for the test that shows it.
        var pollsAfterArming = true
        /// Nil: the bell is used. Else it never is, and a poll that found nothing is followed by that pause.
        var pollingInterval: Duration?
    }

    let policy: Policy
    private var state = State.due
    private var pause: Duration
    private var emptyPolls = 0
    /// How far apart messages come, smoothed: it falls faster than it rises, so that a burst is noticed by its first messages.
    private var distance = Duration.zero
    /// Whether the last poll has not looked at everything, so that the next one goes on with it.
    private(set) var isLookingOn = false
    /// Whether they come one by one.
    private(set) var isFarApart = false
    /// Whether this session holds the bell.
    private(set) var isHeld = false

    init(policy: Policy = Policy()) {
        self.policy = policy
        self.pause = policy.shortestPause
    }

    /// What to do next. After a pause is over, call ``pauseEnded()``.
    var step: Step {
        switch self.state {
        case .due:
            // A look that began after the bell was taken is finished while the bell is held.
            if self.isLookingOn { return .poll(release: false, arm: false) }
            let arm = self.emptyPolls >= self.policy.pollsBeforeArming && self.policy.pollingInterval == nil
            return .poll(release: self.isHeld, arm: arm && !self.isHeld)
        case .pausing:
            return .pause(self.pause)
        case .asleep:
            return .sleep
        }
    }

    /// A pause is over.
    mutating func pauseEnded() {
        if self.state == .pausing { self.state = .due }
    }

    /// A poll has been made.
    ///
    /// - Parameters:
    ///   - found: What it found.
    ///   - messages: How many.
    ///   - released: Whether the bell was released with it.
    ///   - granted: Whether the bell was taken before; nil: not tried.
    ///   - distance: How long ago the last poll was that found something; nil: it is not known.
    mutating func polled(
        _ found: Found, messages: Int = 0, released: Bool, granted: Bool?, distance: Duration? = nil
    ) {
        if released { self.isHeld = false }
        if granted == true { self.isHeld = true }
        if found >= .some, let distance { self.cameApart(by: distance) }
        self.isLookingOn = found == .partial
        switch found {
        case .partial:
            self.state = .due
        case .full:
            self.emptyPolls = 0
            self.pause = self.policy.shortestPause
            self.state = .due
        case .some:
            let isBusy = messages >= self.policy.manyMessages && self.emptyPolls == 0
            self.pause = isBusy ? min(self.pause * 2, self.policy.longestBusyPause) : self.policy.shortestPause
            self.emptyPolls = self.isFarApart && !self.isHeld ? self.policy.pollsBeforeArming : 0
            self.state = self.isHeld || self.isFarApart ? .due : .pausing
        case .nothing:
            if self.isHeld {
                self.state = .asleep
                return
            }
            if let interval = self.policy.pollingInterval {
                self.pause = interval
                self.state = .pausing
                return
            }
            if self.emptyPolls > 0 { self.pause = min(self.pause * 2, self.policy.longestPause) }
            self.state = .pausing
            if self.emptyPolls < self.policy.pollsBeforeArming {
                self.emptyPolls = self.isFarApart ? self.policy.pollsBeforeArming : self.emptyPolls + 1
                // The last poll before the bell is taken needs no pause: taking it comes with another look.
                if self.emptyPolls == self.policy.pollsBeforeArming { self.state = .due }
            }
        }
    }

    /// A producer has rung, or there is another reason to look at once.
    mutating func rang() {
        self.state = .due
        self.isLookingOn = false
        self.emptyPolls = 0
        self.pause = self.policy.shortestPause
    }

    /// The bell was released on its own.
    mutating func released() {
        self.isHeld = false
        self.rang()
    }

    private mutating func cameApart(by distance: Duration) {
        // Where the bell is not used, there is nothing to take.
        if self.policy.pollingInterval != nil { return }
        let distance = min(distance, self.policy.farApart * 4)
        self.distance =
            distance < self.distance ? (self.distance + distance) / 2 : (self.distance * 4 + distance) / 5
        if self.distance >= self.policy.farApart { self.isFarApart = true }
        if self.distance < self.policy.nearApart { self.isFarApart = false }
    }
}
