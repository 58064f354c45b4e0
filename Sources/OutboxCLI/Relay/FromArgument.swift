import ArgumentParser
import Outbox

/// What `--from` says.
enum FromArgument: String, ExpressibleByArgument, CaseIterable {
    case start, now

    var position: FirstPosition {
        switch self {
        case .start: .startOfLog
        case .now: .now
        }
    }
}
