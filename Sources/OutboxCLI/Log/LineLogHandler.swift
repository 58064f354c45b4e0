import Logging
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Writes a line for each event of the log to stderr, in one piece.
struct LineLogHandler: LogHandler {
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    private let label: String
    private let format: LogFormat
    private let output: Terminal

    init(label: String, format: LogFormat, output: Terminal = .error) {
        self.label = label
        self.format = format
        self.output = output
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var details = self.metadata
        if let provided = self.metadataProvider?.get() { details.merge(provided) { $1 } }
        if let own = event.metadata { details.merge(own) { $1 } }
        if let error = event.error { details["error"] = "\(error)" }
        let line = LogLine(
            time: Date(), level: event.level, label: self.label, message: event.message.description,
            details: details.sorted { $0.key < $1.key })
        switch self.format {
        case .text: self.output.print(line.text(on: self.output))
        case .json: self.output.write(line.json)
        case .logfmt: self.output.print(line.logfmt)
        }
    }
}
