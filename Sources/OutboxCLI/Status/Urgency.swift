import OutboxPostgres

/// What a stream, or a destination, needs an operator for: the most urgent first.
enum Urgency: Int, Comparable {
    /// Messages wait, and no relay delivers them.
    case notServed
    case down
    case paused
    case dead
    /// No relay delivers, and nothing waits: it may be a thing of the past.
    case idle
    case none

    init(_ stream: OutboxStatus.Stream) {
        self =
            switch stream.state {
            case .neverServed, .notServed:
                stream.oldest != nil ? .notServed : stream.dead.value > 0 ? .dead : .idle
            case .down: .down
            case .paused: .paused
            case .delivering: stream.dead.value > 0 ? .dead : .none
            }
    }

    static func < (one: Self, other: Self) -> Bool { one.rawValue < other.rawValue }

    /// How a row of it stands out.
    var style: Terminal.Style? {
        switch self {
        case .notServed, .down: .red
        case .paused, .dead, .idle: .yellow
        case .none: nil
        }
    }
}
