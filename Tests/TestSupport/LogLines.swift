package import Logging
import Synchronization

/// A log that keeps its lines, from a level on, and may call a closure for each.
package final class LogLines: LogHandler {
    /// What was written once.
    package struct Line: Sendable, CustomStringConvertible {
        package let level: Logger.Level
        package let text: String
        package let metadata: Logger.Metadata

        package func value(_ key: String) -> String { self.metadata[key].map { "\($0)" } ?? "" }

        /// The level, the message and what stands beside it.
        package var description: String { "\(self.level) \(self.text) \(self.metadata)" }
    }

    private let level: Logger.Level
    private let kept = Mutex<[Line]>([])
    private let onLine = Mutex<(@Sendable (Line) -> Void)?>(nil)

    package init(from level: Logger.Level = .notice) {
        self.level = level
    }

    package var logger: Logger { Logger(label: "outbox.test") { _ in self } }
    package var lines: [Line] { self.kept.withLock { $0 } }
    package var all: [String] { self.lines.map(\.description) }
    package var warnings: [String] { self.all.filter { $0.hasPrefix("warning") } }

    /// Has a closure called for each line from now on, by the task that writes it.
    package func onLine(_ body: @escaping @Sendable (Line) -> Void) {
        self.onLine.withLock { $0 = body }
    }

    package var metadata: Logger.Metadata {
        get { [:] }
        set { _ = newValue }
    }
    package var logLevel: Logger.Level {
        get { self.level }
        set { _ = newValue }
    }
    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set { _ = newValue }
    }

    package func log(event: LogEvent) {
        let line = Line(level: event.level, text: "\(event.message)", metadata: event.metadata ?? [:])
        self.kept.withLock { $0.append(line) }
        self.onLine.withLock { $0 }?(line)
    }
}
