/// Why an ``EphemeralPostgres`` or an ``EphemeralRabbitMQ`` could not do what it was asked.
public struct EphemeralServerError: Error, Sendable {
    /// The kind of failure. More kinds may be added.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Kind: String {
            case notInstalled, invalidSettings, initialisationFailed, startFailed, stopped, commandFailed
        }
        private let kind: Kind

        /// The server's programs were not found on this machine.
        public static let notInstalled = Code(kind: .notInstalled)
        /// The settings cannot be used, or contradict each other.
        package static let invalidSettings = Code(kind: .invalidSettings)
        /// The server's folder, or what is in it, could not be made.
        package static let initialisationFailed = Code(kind: .initialisationFailed)
        /// The server ended before it accepted connections, or took longer than the limit for starts.
        package static let startFailed = Code(kind: .startFailed)
        /// A program that talks to the server has failed.
        package static let commandFailed = Code(kind: .commandFailed)
        /// The server was stopped for good; a stopped server does not start again.
        package static let stopped = Code(kind: .stopped)

        /// The code's name.
        public var description: String { kind.rawValue }
    }

    /// The kind of failure.
    public var code: Code
    /// What happened and, where known, what to do.
    package var message: String
    /// What the server's programs printed last; empty when they printed nothing.
    package var detail: String
    /// The error that caused this one.
    package var underlying: (any Error)?
    /// The source file that threw.
    package var file: String
    /// The line that threw.
    package var line: Int

    package init(
        _ code: Code,
        _ message: String,
        detail: String = "",
        underlying: (any Error)? = nil,
        file: String = #fileID,
        line: Int = #line
    ) {
        self.code = code
        self.message = message
        self.detail = detail
        self.underlying = underlying
        self.file = file
        self.line = line
    }
}

extension EphemeralServerError: CustomStringConvertible, CustomDebugStringConvertible {
    /// What happened, in a sentence; without the server's own words.
    public var description: String { message }

    /// What happened, what the server's programs printed, and where it was thrown.
    public var debugDescription: String {
        var parts = ["EphemeralServerError(\(code)): \(message)"]
        if !detail.isEmpty { parts.append(detail) }
        if let underlying { parts.append("caused by: \(underlying)") }
        parts.append("at \(file):\(line)")
        return parts.joined(separator: "\n")
    }
}
