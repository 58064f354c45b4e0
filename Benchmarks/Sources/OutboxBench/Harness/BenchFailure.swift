import Logging

/// Why a benchmark says nothing.
struct BenchFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

extension Logger {
    /// For work that says by itself what went wrong.
    static var quiet: Logger { Logger(label: "outbox-bench") { _ in SwiftLogNoOpLogHandler() } }
}
