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
/// Of several relays one is the *keeper*, which alone takes the bell; a ring wakes them all. When the keeper sleeps, it says so, after it was
/// granted the bell and has looked once more. Whichever relay hears that looks once more too, and sleeps whenever it finds nothing,
/// until something rings. Where the keeper frees the bell without a ring, or another becomes keeper, that is said as well: what comes
/// then may not ring.
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
        /// The bell is held, and nothing was there after it was taken.
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
    /// Whether this session takes the bell.
    private(set) var isKeeper: Bool
    /// Whether another session has said that it holds the bell and sleeps, and nothing has rung since.
    private(set) var isKeeperAsleep = false
    /// How often it was heard that the keeper sleeps.
    private(set) var hearings = 0
    /// Whether it was said that this session sleeps, and nothing was heard after that that wakes all.
    private(set) var mustRecall = false
    /// How often that was said, and how often it was heard back.
    private var announcementsSaid = 0
    private var announcementsHeard = 0

    init(policy: Policy = Policy(), isKeeper: Bool = true) {
        self.policy = policy
        self.isKeeper = isKeeper
        self.pause = policy.shortestPause
    }

    /// What to do next. After a pause is over, call ``pauseEnded()``.
    var step: Step {
        switch self.state {
        case .due:
            // A look that began after the bell was taken is finished while the bell is held.
            if self.isLookingOn { return .poll(release: false, arm: false) }
            let arm =
                self.isKeeper && self.emptyPolls >= self.policy.pollsBeforeArming && self.policy.pollingInterval == nil
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
    ///   - isAfterAsleep: Whether it was sent after it was heard that the keeper sleeps.
    ///   - distance: How long ago the last poll was that found something; nil: it is not known.
    mutating func polled(
        _ found: Found, messages: Int = 0, released: Bool, granted: Bool?, isAfterAsleep: Bool = false,
        distance: Duration? = nil
    ) {
        if released { (self.isHeld, self.mustRecall) = (false, false) }
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
            self.state = self.isHeld || self.isFarApart && self.isKeeper ? .due : .pausing
        case .nothing:
            if self.isHeld || isAfterAsleep {
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
                if self.isKeeper, self.emptyPolls == self.policy.pollsBeforeArming { self.state = .due }
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
        (self.isHeld, self.mustRecall) = (false, false)
        self.rang()
    }

    // MARK: - With other relays

    /// A producer has rung, or what all relays hear in the same way has happened.
    mutating func heardRing() {
        self.isKeeperAsleep = false
        // What rang before the announcement was heard by others before it, and they sleep again.
        if self.announcementsSaid == self.announcementsHeard { self.mustRecall = false }
        self.rang()
    }

    /// The keeper sleeps. Something may have come without ringing that is visible by now.
    mutating func heardAsleep() {
        if self.isKeeper { return }
        self.isKeeperAsleep = true
        self.hearings += 1
        self.state = .due
        self.isLookingOn = false
    }

    /// Whether to say that this session sleeps, so that others may.
    var mustAnnounce: Bool { self.state == .asleep && self.isHeld && !self.mustRecall }

    /// This session says that it sleeps.
    mutating func announced() {
        self.mustRecall = true
        self.announcementsSaid += 1
    }

    /// What was said is where all hear it.
    mutating func heardOwnAsleep() { self.announcementsHeard += 1 }

    /// This session takes the bell from now on.
    mutating func becameKeeper() {
        self.isKeeper = true
        self.isKeeperAsleep = false
        self.rang()
    }

    /// Another session is to take the bell from now on.
    mutating func resigned() {
        self.isKeeper = false
        self.released()
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
