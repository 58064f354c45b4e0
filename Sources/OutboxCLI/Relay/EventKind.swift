import ArgumentParser
import Outbox
import OutboxRuntime

/// What an event of a relay is called in its line.
enum EventKind: String, Sendable, CaseIterable {
    case standby, started, stopped, disconnected, opened
    case stillDown = "still_down"
    case closed, parked, delivered, retried
    case deadLettered = "dead_lettered"

    /// All names, for help.
    static var list: String { self.allCases.map(\.rawValue).joined(separator: ", ") }

    init(_ event: RelayEvent) {
        self =
            switch event {
            case .standby: .standby
            case .started: .started
            case .stopped: .stopped
            case .disconnected: .disconnected
            case .opened: .opened
            case .stillDown: .stillDown
            case .closed: .closed
            case .parked: .parked
            case .delivered: .delivered
            case .retried: .retried
            case .deadLettered: .deadLettered
            }
    }
}

/// Kinds of events on the command line, with commas between them.
struct EventKinds: Sendable {
    let kinds: Set<EventKind>

    init(parsing argument: String) throws {
        var kinds: Set<EventKind> = []
        for name in argument.split(separator: ",", omittingEmptySubsequences: false).map(String.init) {
            guard let kind = EventKind(rawValue: name) else {
                let hint = NearestName.suggestion(for: name, among: EventKind.allCases.map(\.rawValue))
                throw ValidationError("“\(name)” is no kind of event; \(hint)")
            }
            kinds.insert(kind)
        }
        self.kinds = kinds
    }
}
