package import Logging
import Synchronization

/// A log that keeps its lines, from notices on: the level, the message and what stands beside it.
package final class LogLines: LogHandler {
    private let kept = Mutex<[String]>([])

    package init() {}

    package var logger: Logger { Logger(label: "outbox.test") { _ in self } }
    package var all: [String] { self.kept.withLock { $0 } }
    package var warnings: [String] { self.all.filter { $0.hasPrefix("warning") } }

    package var metadata: Logger.Metadata {
        get { [:] }
        set { _ = newValue }
    }
    package var logLevel: Logger.Level {
        get { .notice }
        set { _ = newValue }
    }
    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set { _ = newValue }
    }

    package func log(event: LogEvent) {
        self.kept.withLock { $0.append("\(event.level) \(event.message) \(event.metadata ?? [:])") }
    }
}
