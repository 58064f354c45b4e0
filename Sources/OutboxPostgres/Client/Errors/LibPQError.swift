/// What went wrong in the client or in the server.
///
/// ``description`` can be logged anywhere: it holds neither values nor credentials. ``debugDescription`` has the server's own words,
/// which may quote data.
public struct LibPQError: Error, Sendable {
    /// What kind of failure it is.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        enum Kind: String, CaseIterable {
            case configuration, connect, connectionLost, server, cancelled, timeout, decoding, invalidValue
            case transactionState, poolClosed, copy
        }

        let kind: Kind

        /// The connection's configuration is invalid.
        public static let configuration = Code(kind: .configuration)
        /// No connection could be established.
        public static let connect = Code(kind: .connect)
        /// The connection is gone: the server ended it, the network did, or ``LibPQConnection/close()`` was called. Whether the
        /// statement that was running took effect is unknown.
        public static let connectionLost = Code(kind: .connectionLost)
        /// The server refused the statement; see ``LibPQError/sqlState``.
        public static let server = Code(kind: .server)
        /// The task was cancelled.
        public static let cancelled = Code(kind: .cancelled)
        /// A time limit of the client has passed.
        public static let timeout = Code(kind: .timeout)
        /// A column does not hold what was asked for.
        public static let decoding = Code(kind: .decoding)
        /// A statement, name or value that cannot be sent.
        public static let invalidValue = Code(kind: .invalidValue)
        /// The transaction is not in the state that the call needs.
        public static let transactionState = Code(kind: .transactionState)
        /// The pool has been closed.
        public static let poolClosed = Code(kind: .poolClosed)
        /// A `COPY` failed, or was sent by a call that is not made for it.
        package static let copy = Code(kind: .copy)

        /// The kind's name.
        public var description: String { kind.rawValue }

        /// All codes that there are in this version.
        package static var all: [Code] { Kind.allCases.map { Code(kind: $0) } }
    }

    /// In one object, so that the error is a single word where it is thrown and caught.
    final class Storage: Sendable {
        let code: Code
        let message: String
        let server: ServerReport?
        let statementIndex: Int?
        let underlying: (any Error)?
        let isSilence: Bool
        let isOutcomeUnknown: Bool
        let file: String
        let line: Int

        init(
            code: Code, message: String, server: ServerReport?, statementIndex: Int?, underlying: (any Error)?,
            isSilence: Bool, isOutcomeUnknown: Bool, file: String, line: Int
        ) {
            self.code = code
            self.message = message
            self.server = server
            self.statementIndex = statementIndex
            self.underlying = underlying
            self.isSilence = isSilence
            self.isOutcomeUnknown = isOutcomeUnknown
            self.file = file
            self.line = line
        }
    }

    let storage: Storage

    /// - Parameter message: without values and credentials.
    init(
        _ code: Code, _ message: String, server: ServerReport? = nil, statementIndex: Int? = nil,
        underlying: (any Error)? = nil, isSilence: Bool = false, isOutcomeUnknown: Bool = false,
        file: String = #fileID, line: Int = #line
    ) {
        storage = Storage(
            code: code, message: message, server: server, statementIndex: statementIndex, underlying: underlying,
            isSilence: isSilence, isOutcomeUnknown: isOutcomeUnknown, file: file, line: line)
    }

    /// What kind of failure it is.
    public var code: Code { storage.code }
    /// The five characters by which Postgres names the condition, if it was the server that reported it; see appendix A of its manual.
    public var sqlState: String? { storage.server?.sqlState }
    /// The constraint that was violated.
    public var constraint: String? { storage.server?.constraint }
    /// The schema of the object that the error is about.
    package var schema: String? { storage.server?.schema }
    /// The table that the error is about.
    package var table: String? { storage.server?.table }
    /// The column that the error is about.
    package var column: String? { storage.server?.column }
    /// Where in the text of the statement the error is, in characters from 1.
    package var position: Int? { storage.server?.position }
    /// Which statement of a pipeline failed, from 0. Where the server refused to commit them, the last one of the transaction.
    package var statementIndex: Int? { storage.statementIndex }
    /// The error that caused this one.
    public var underlying: (any Error)? { storage.underlying }
    /// The connection was given up because the server was silent for too long.
    var isSilence: Bool { storage.isSilence }
    /// Whether a `COMMIT` was sent and its answer never came: the transaction may have been committed, or not. Before the same is
    /// done again, look whether it is there.
    public var isOutcomeUnknown: Bool { storage.isOutcomeUnknown }
    /// The file in which the error arose.
    package var file: String { storage.file }
    /// The line in which the error arose.
    package var line: Int { storage.line }

    /// Whether the same work, started over on a connection that works, may well succeed: connection trouble (unless it was a
    /// refusal: wrong password, no such database), serialization failures and deadlocks (40001, 40P01), a lock not available (55P03), a server
    /// that is shutting down or starting (57P01–57P03) or out of resources (class 53), and a limit of time that has passed.
    public var isRetriable: Bool {
        switch code.kind {
        case .connectionLost, .timeout: true
        case .connect: sqlState.map(SQLState.isRetriable) ?? true
        case .server, .copy: sqlState.map(SQLState.isRetriable) ?? false
        case .configuration, .cancelled, .decoding, .invalidValue, .transactionState, .poolClosed: false
        }
    }
}

/// What the server says about an error. Its DETAIL is not kept, for it quotes rows.
struct ServerReport: Sendable, Hashable {
    var sqlState: String?
    var severity: String?
    /// The primary message.
    var message = ""
    var hint: String?
    var constraint: String?
    var schema: String?
    var table: String?
    var column: String?
    var position: Int?

    /// The server ends the session after such a report.
    var isFatal: Bool { severity == "FATAL" || severity == "PANIC" }
}
