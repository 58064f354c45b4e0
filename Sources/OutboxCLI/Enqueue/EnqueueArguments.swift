import ArgumentParser
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A header on the command line: `name=value`.
struct HeaderArgument: Sendable {
    let name: String
    let value: String

    init(parsing argument: String) throws {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty else { throw ValidationError("a header is name=value") }
        self.name = String(parts[0])
        self.value = String(parts[1])
    }
}

/// A time on the command line.
struct TimeArgument: Sendable {
    let date: Date

    init(parsing argument: String) throws {
        guard let date = RFC3339.date(argument) else {
            throw ValidationError("“\(argument)” is no time such as 2030-01-31T12:00:00Z")
        }
        self.date = date
    }
}
