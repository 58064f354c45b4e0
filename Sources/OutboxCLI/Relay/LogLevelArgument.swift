import ArgumentParser
import Logging
import Outbox
import OutboxRuntime

/// A level of logging on the command line.
struct LogLevelArgument: Sendable {
    let level: Logger.Level

    init(_ level: Logger.Level) {
        self.level = level
    }

    init(parsing argument: String) throws {
        guard let level = Logger.Level(rawValue: argument) else {
            let hint = NearestName.suggestion(for: argument, among: Logger.Level.allCases.map(\.rawValue))
            throw ValidationError("“\(argument)” is no log level; \(hint)")
        }
        self.level = level
    }
}
