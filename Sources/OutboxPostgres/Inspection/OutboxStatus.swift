public import Outbox

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// How an outbox is doing, as one snapshot of the database shows it.
public struct OutboxStatus: Sendable, Hashable {
    /// The subscription that it is the status for.
    public var subscription: String
    /// When it was taken, by the server's clock.
    public var takenAt: Date
    /// The subscription's streams, by destination and slots.
    public var streams: [Stream]
    /// Destinations of which there are messages, and that no relay of the subscription has ever had a route for.
    public var unregistered: [UnregisteredDestination]
    /// The partitions of the log, by number.
    package var segments: [Segment]
    /// The sessions of the subscription's relays, those that deliver first.
    public var relays: [RelayProcess]

    /// A number that was counted up to a limit, so that counting takes little time.
    public struct Count: Sendable, Hashable, CustomStringConvertible {
        /// The number; the limit if it was reached.
        public var value: Int
        /// Whether the number is that, and not that or more.
        public var isExact: Bool

        /// Creates a count.
        package init(_ value: Int, isExact: Bool = true) {
            self.value = value
            self.isExact = isExact
        }

        /// Whether it is one, and no more: it has another plural then.
        package var isOne: Bool { self.value == 1 && self.isExact }

        /// So many messages.
        package var messages: String { self.isOne ? "1 message" : "\(self) messages" }

        /// The number; "≥1000000" where it is not exact.
        public var description: String { self.isExact ? "\(self.value)" : "≥\(self.value)" }
    }

    /// The state of the messages of one destination and a range of slots.
    public struct Stream: Sendable, Hashable {
        /// The stream's number.
        package var id: Int32
        /// The messaging system that the messages are addressed to.
        public var destination: Destination
        /// The slots that belong to the stream, of 0 to 1023.
        package var slots: ClosedRange<Int>
        /// The highest id that has been read and handled; messages below it that committed late may still wait.
        public var position: Int64
        /// Messages in the log that have not been handled.
        public var lag: Count
        /// How long ago the oldest of them was enqueued; nil: there are none.
        public var lagTime: Duration?
        /// Messages a second that the cursor has passed since the status that this one was compared with; nil: it was compared
        /// with none, or the stream was rewound meanwhile. What came late is not in it.
        public var rate: Double?
        /// Messages that the relay has read and not yet committed, as it said it a second ago or sooner; nil: it says nothing of
        /// this stream, or there is none.
        public var inFlight: Int?
        /// Whether the relay takes the destination for down; nil: as ``inFlight``.
        public var isDown: Bool?
        /// The last outage of the destination that a relay has noted and not noted the end of.
        package var notedOutage: Outage?
        /// Messages that wait for a later attempt, or for their time.
        public var deferred: Count
        /// For how long the oldest of them, of those that were counted, should have been delivered; nil: all wait for their time.
        public var deferredTime: Duration?
        /// Messages that are not tried again.
        public var dead: Count
        /// When the last of them, of those that were counted, became one; nil: there are none.
        public var diedAt: Date?
        /// Since when delivery has been paused; nil: it has not.
        public var pausedAt: Date?
        /// When a relay last moved the stream's cursor; nil: never.
        public var committedAt: Date?
        /// The server process of the relay's session that delivers the stream; nil: none does.
        public var owner: Int32?

        /// The destination's name, and the slots where they are not all.
        package var title: String {
            let slots = self.slots == 0...1023 ? "" : " [\(self.slots.lowerBound)-\(self.slots.upperBound)]"
            return self.destination.name + slots
        }

        /// What becomes of its messages.
        public var state: State {
            if self.pausedAt != nil { return .paused }
            if self.owner == nil { return .notServed }
            return self.isDown == true ? .down : .delivering
        }

        /// Why the destination is down and for how long; nil: it is not, or its relay has not noted it yet, which takes a second.
        public var outage: Outage? { self.state == .down ? self.notedOutage : nil }

        /// For how long the oldest message that should have been delivered waits, in the log or for a further attempt; nil: there is none.
        public var oldest: Duration? { [self.lagTime, self.deferredTime].compactMap { $0 }.max() }
    }

    /// Why a destination is down.
    public struct Outage: Sendable, Hashable {
        /// What its handler or transport has said last that was something new; at most 300 characters, on one line.
        public var reason: String
        /// For how long it has been down.
        public var time: Duration
    }

    /// What becomes of the messages of a stream, or of a destination. The raw values are those of `outbox status`.
    public enum State: String, Sendable, Hashable, CaseIterable {
        /// A relay has the stream.
        case delivering
        /// A relay has it, and takes the destination for down: it probes it until it is up.
        case down
        /// No relay that runs has a route for it, or none runs.
        case notServed = "not served"
        /// An operator has paused it.
        case paused
        /// No relay of the subscription has ever had a route for it.
        case neverServed = "never served"
    }

    /// A destination that no relay delivers to.
    public struct UnregisteredDestination: Sendable, Hashable {
        /// The messaging system that the messages are addressed to.
        public var destination: Destination
        /// How many there are in the log.
        public var messages: Count
        /// How long ago the oldest of them was enqueued.
        public var lagTime: Duration
    }

    /// A partition of the log.
    package struct Segment: Sendable, Hashable {
        /// Its number in the ring.
        package var number: Int
        /// Its size on disk, indexes included.
        package var bytes: Int
        /// Whether new messages go there.
        package var isCurrent: Bool
    }

    /// The session of a relay, which has its share of the streams, or waits to take over.
    public struct RelayProcess: Sendable, Hashable {
        /// The number of the server process of its session.
        public var processID: Int32
        /// The numbers of the streams that it delivers.
        package var streams: [Int32]
        /// What it calls itself; nil: unknown.
        public var applicationName: String?
        /// The host that it connects from, "local" for a socket of the server's own; nil: this role may not know.
        public var host: String?
        /// When its session began; nil: this role may not know.
        public var connectedAt: Date?
        /// For how long its session has sent nothing to the server. A relay asks something every 30 s at least, unless its fallback poll
        /// was changed. Nil: this role may not know.
        package var silence: Duration?
        /// Whether it has found nothing to read and waits to be notified.
        public var isAsleep: Bool
        /// Messages that it has read and not yet committed, of all streams, as it said it a second ago or sooner; nil: it says
        /// nothing.
        public var inFlight: Int?

        /// How many streams it delivers.
        public var streamCount: Int { self.streams.count }
        /// Whether it delivers any.
        public var isOwner: Bool { !self.streams.isEmpty }
    }

    /// The relays that deliver: those that have streams and, as long as there is no stream and no message, all. One with a route for any destination
    /// waits for the first message then, and delivers it.
    public var workingRelays: [RelayProcess] {
        self.waitsForTheFirst ? self.relays : self.relays.filter(\.isOwner)
    }

    /// Whether there is neither a stream nor a message, so that no relay can have any.
    package var waitsForTheFirst: Bool { self.streams.isEmpty && self.unregistered.isEmpty }
}
