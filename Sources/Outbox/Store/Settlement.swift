/// The outcomes of finished pages of one stream, made durable together.
public struct Settlement: Sendable {
    /// The stream.
    public let stream: StreamID
    /// The last page of the log before which all is settled: the stream's cursor moves behind it. Nil: it stays.
    public var through: (any MessagePage)?
    /// Messages of the log that wait for a later attempt. They are there before what is said of deferred messages is done.
    public var deferred: [Deferral] = []
    /// Messages of the log that will not be tried again.
    public var dead: [Death] = []
    /// Deferred messages that were delivered.
    public var deferredDelivered: [Int64] = []
    /// Deferred messages that wait once more.
    public var deferredAgain: [Deferral] = []
    /// Deferred messages that will not be tried again.
    public var deferredDead: [Death] = []
    /// The keys of which ordered deferred messages were added or removed: their first waiting message is due now.
    ///
    /// Not a set: to a database, two spellings of a character are two keys.
    public var keys: [String] = []
    /// What is to be noted of this process's start, for the one that comes after it. Nil: nothing changes.
    public var start: StreamStart?

    /// Creates a settlement with nothing in it.
    package init(stream: StreamID) {
        self.stream = stream
    }

    /// Whether there is nothing to make durable.
    package var isEmpty: Bool {
        self.through == nil && self.deferred.isEmpty && self.dead.isEmpty && self.deferredDelivered.isEmpty
            && self.deferredAgain.isEmpty && self.deferredDead.isEmpty && self.keys.isEmpty && self.start == nil
    }
}

/// A message that waits for a later attempt.
public struct Deferral: Sendable, Hashable {
    /// When a deferred message is tried next.
    public enum Due: Sendable, Hashable {
        /// After that time, counted from the commit by the store's clock.
        case after(Duration)
        /// When the message's own `deliver_at` has come.
        case scheduled
        /// When the earlier deferred messages of its key are settled.
        case behindKey
    }

    /// The message.
    public let id: Int64
    /// How often delivery has been tried.
    public let attempts: Int
    /// When it is tried next.
    public let due: Due
    /// Whether later messages of its key wait for it.
    public let ordered: Bool
    /// What the last attempt failed with.
    public let error: String?

    /// Creates a deferral.
    package init(id: Int64, attempts: Int, due: Due, ordered: Bool, error: String?) {
        self.id = id
        self.attempts = attempts
        self.due = due
        self.ordered = ordered
        self.error = error
    }
}

/// A message that will not be tried again.
public struct Death: Sendable, Hashable {
    /// Why a message is not tried again.
    public enum Reason: String, Sendable, Hashable, CaseIterable {
        /// It has used up its attempts.
        case exhausted
        /// The handler or the destination refused it for good.
        case rejected
        /// The row in the outbox is not a message: headers or options that cannot be read.
        case undecodable
        /// The relay's process ended each time it was delivered.
        case crashed
    }

    /// The message.
    public let id: Int64
    /// How often delivery has been tried.
    public let attempts: Int
    /// Why it is not tried again.
    public let reason: Reason
    /// What the last attempt failed with; nil: what is known of a deferred message stays.
    public let error: String?

    /// Creates a death.
    package init(id: Int64, attempts: Int, reason: Reason, error: String?) {
        self.id = id
        self.attempts = attempts
        self.reason = reason
        self.error = error
    }
}
