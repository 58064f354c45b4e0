import Outbox
import OutboxPostgres
import OutboxRuntime

/// What is shown of a stream, or of a destination that no relay has ever served.
struct StatusRow: Hashable {
    /// A column of the table of streams.
    enum Column: CaseIterable {
        case destination, state, waiting, oldest, rate, inFlight, deferred, dead

        var title: String {
            switch self {
            case .destination: "DESTINATION"
            case .state: "STATE"
            case .waiting: "WAITING"
            case .oldest: "OLDEST"
            case .rate: "PER SECOND"
            case .inFlight: "IN FLIGHT"
            case .deferred: "DEFERRED"
            case .dead: "DEAD"
            }
        }

        var alignment: Table.Alignment { self == .destination || self == .state ? .left : .right }
    }

    /// The destination's name, and the slots where they are not all. It may hold anything.
    let title: String
    let state: OutboxStatus.State
    let urgency: Urgency
    /// For how long the oldest message waits that should have been delivered.
    let oldest: Duration?
    /// Why the destination is down.
    let outage: OutboxStatus.Outage?
    private let waiting: String
    private let rate: String
    private let inFlight: String
    private let deferred: String
    private let dead: String

    init(_ stream: OutboxStatus.Stream) {
        self.title = stream.title
        self.state = stream.state
        self.oldest = stream.oldest
        self.outage = stream.outage
        self.waiting = stream.lag.description
        self.rate = stream.rate.map { Int($0.rounded()).grouped } ?? "-"
        self.inFlight = stream.inFlight?.description ?? "-"
        self.deferred = stream.deferred.description
        self.dead = stream.dead.description
        self.urgency = Urgency(stream)
    }

    init(_ destination: OutboxStatus.UnregisteredDestination) {
        self.title = destination.destination.name
        self.state = .neverServed
        self.urgency = .notServed
        self.oldest = destination.lagTime
        self.outage = nil
        self.waiting = destination.messages.description
        (self.rate, self.inFlight, self.deferred, self.dead) = ("-", "-", "-", "-")
    }

    /// What a column has.
    func text(_ column: Column) -> String {
        switch column {
        case .destination: self.title.plain()
        case .state: self.state.rawValue
        case .waiting: self.waiting
        case .oldest: self.oldest?.short ?? "-"
        case .rate: self.rate
        case .inFlight: self.inFlight
        case .deferred: self.deferred
        case .dead: self.dead
        }
    }

    /// The rows of a status. Trouble comes first, for what does not fit on a screen should be what is well; then what has waited for longest.
    /// Less than a second does not count, or else those that are well would change places at every look.
    static func rows(_ status: OutboxStatus) -> [StatusRow] {
        let rows = status.unregistered.map(StatusRow.init) + status.streams.map(StatusRow.init)
        let order = rows.enumerated().sorted { one, other in
            func rank(_ row: (offset: Int, element: StatusRow)) -> (Urgency, Int64, Int) {
                (row.element.urgency, -(row.element.oldest?.components.seconds ?? -1), row.offset)
            }
            return rank(one) < rank(other)
        }
        return order.map(\.element)
    }
}
