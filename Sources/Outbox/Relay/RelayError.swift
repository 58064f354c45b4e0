/// What ends a relay, a session of its store, or a commit.
///
/// ``Relay/run()`` throws it, and so do the methods of a ``RelayStore`` and its sessions: its ``code`` says whether the relay begins
/// another session or ends.
public struct RelayError: Error, Sendable {
    /// What kind of failure it is. More codes may come.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Kind: String, CaseIterable {
            case configuration, noRoutes, alreadyRun, transportEnded
            case connection, unavailable, standby, pooler, login, databaseMissing
            case schemaMissing, schemaUnversioned, schemaTooOld, schemaTooNew, privilege, log, logChanged, refused
            case misuse, unexpected
        }

        private let kind: Kind

        // MARK: What a relay is made of. It ends.

        /// The settings of the relay, of a transport or of the connection cannot be used.
        public static let configuration = Code(kind: .configuration)
        /// The relay has no route: there is nothing that it could deliver to.
        public static let noRoutes = Code(kind: .noRoutes)
        /// The relay has been run before.
        public static let alreadyRun = Code(kind: .alreadyRun)
        /// A transport ended while it was needed, or failed in a way that no outcome expresses.
        public static let transportEnded = Code(kind: .transportEnded)

        // MARK: What passes. The relay begins another session.

        /// The server cannot be reached, has gone away, or was silent for too long.
        public static let connection = Code(kind: .connection)
        /// The server cannot do it at the moment: it starts or stops, its disk is full, another session holds a lock.
        public static let unavailable = Code(kind: .unavailable)
        /// The server takes no writes: it is a standby, or its log is a copy of another server's.
        public static let standby = Code(kind: .standby)
        /// The log was replaced or numbered again while a session was reading it: another session reads it as it is now.
        public static let logChanged = Code(kind: .logChanged)

        // MARK: What an operator has to change. A relay that has had a session before begins another one, for as long as it takes;
        // one that has not ends, for it was started wrongly.

        /// The server refuses the login: the user, the password, or a setting of the session.
        public static let login = Code(kind: .login)
        /// There is no such database.
        public static let databaseMissing = Code(kind: .databaseMissing)
        /// There is no outbox in the schema.
        public static let schemaMissing = Code(kind: .schemaMissing)
        /// The outbox does not say of which version it is: it came with a dump of the structure alone.
        public static let schemaUnversioned = Code(kind: .schemaUnversioned)
        /// The outbox is older than this program needs.
        public static let schemaTooOld = Code(kind: .schemaTooOld)
        /// The role lacks a privilege, or row level security hides rows from it.
        public static let privilege = Code(kind: .privilege)
        /// The server refuses a statement for a reason of its own, such as a trigger's.
        public static let refused = Code(kind: .refused)

        // MARK: What no waiting helps. The relay ends.

        /// The outbox works with newer programs only.
        public static let schemaTooNew = Code(kind: .schemaTooNew)
        /// The log's ids give its messages no order.
        public static let log = Code(kind: .log)
        /// A pooler gives the session away between two transactions.
        public static let pooler = Code(kind: .pooler)
        /// A session, or a transaction in memory, was used in a way that it is not made for: closed, not
        /// owned, or with what it has not handed out.
        public static let misuse = Code(kind: .misuse)
        /// An error that nothing is known of. It is not tried again, so that it is seen.
        public static let unexpected = Code(kind: .unexpected)

        /// The code's name.
        public var description: String { self.kind.rawValue }

        /// All codes that there are in this version.
        package static var all: [Code] { Kind.allCases.map { Code(kind: $0) } }

        /// What a relay does about it.
        package var remedy: Remedy {
            switch self.kind {
            case .connection, .unavailable, .standby, .logChanged: .retry
            case .login, .databaseMissing, .schemaMissing, .schemaUnversioned, .schemaTooOld, .privilege, .refused:
                .retryIfItHasWorked
            case .configuration, .noRoutes, .alreadyRun, .transportEnded, .schemaTooNew, .log, .pooler, .misuse,
                .unexpected:
                .end
            }
        }
    }

    /// What a relay does about an error.
    package enum Remedy: Sendable, Hashable {
        /// It begins another session, which may succeed where this one failed.
        case retry
        /// The same, if it has had a session before; else it ends.
        case retryIfItHasWorked
        /// It ends.
        case end
    }

    /// What kind of failure it is.
    public let code: Code
    /// What happened and what to do about it, without payloads or credentials.
    public let message: String
    /// What the store's client, the transport or the store itself has thrown.
    public let underlying: (any Error)?
    /// The file in which the error arose.
    package let file: String
    /// The line in which the error arose.
    package let line: Int

    /// Creates an error.
    ///
    /// - Parameters:
    ///   - code: What kind of failure it is, which is what a relay goes by.
    ///   - message: What happened and what to do about it, without payloads or credentials: it is logged.
    ///   - underlying: What caused it.
    ///   - file: Where it arose.
    ///   - line: Where it arose.
    public init(
        _ code: Code, _ message: String, underlying: (any Error)? = nil, file: String = #fileID, line: Int = #line
    ) {
        self.code = code
        self.message = message
        self.underlying = underlying
        self.file = file
        self.line = line
    }

    /// Whether another session may succeed where this one failed, of any relay and without any change.
    public var isRetriable: Bool { self.code.remedy == .retry }
}

extension RelayError: CustomStringConvertible, CustomDebugStringConvertible {
    /// What happened and what to do about it.
    public var description: String { self.message }

    /// All that is known, the words of the error that caused it included, which may quote data.
    public var debugDescription: String {
        let underlying = self.underlying.map { "\n  underlying: \(String(reflecting: $0))" } ?? ""
        return "RelayError(\(self.code)): \(self.message)\(underlying)\n  at \(self.file):\(self.line)"
    }
}
