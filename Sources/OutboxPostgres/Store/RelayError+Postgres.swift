import Outbox

extension RelayError {
    /// What any error of a session means for a relay. One that nothing is known of ends the relay: to try it again would be to hide it.
    init(explaining error: any Error) {
        switch error {
        case let error as RelayError: self = error
        case let error as LibPQError: self.init(error)
        case let error as LibPQTransactionError:
            // What has kept the transaction from being rolled back has left the session as it is.
            let cause: (any Error)? = error.rollbackError ?? error.commitError ?? error.beginError ?? error.bodyError
            let code = cause.map { RelayError(explaining: $0).code } ?? .unexpected
            self.init(code, error.description, underlying: error)
        case let error as OutboxError: self.init(error)
        default: self.init(.unexpected, "The session failed: \(error)", underlying: error)
        }
    }

    /// What a failure of the client means for a relay.
    init(_ error: LibPQError) {
        self.init(error.relayCode, error.description, underlying: error)
    }

    /// What is wrong with an outbox, as a relay's error.
    init(_ error: OutboxError) {
        self.init(error.code.relayCode, error.message, underlying: error)
    }
}

extension OutboxError.Code {
    /// The same for a relay.
    var relayCode: RelayError.Code {
        switch self {
        case .schemaMissing, .schemaOccupied: .schemaMissing
        case .schemaUnversioned: .schemaUnversioned
        case .schemaTooOld: .schemaTooOld
        case .schemaTooNew: .schemaTooNew
        case .privilege: .privilege
        default: .unexpected
        }
    }
}

extension LibPQError {
    /// What it means for a relay.
    var relayCode: RelayError.Code {
        switch self.code.kind {
        case .configuration: .configuration
        case .connectionLost, .timeout: .connection
        case .connect:
            switch self.sqlState.map(SQLState.relayCode) {
            case nil: .connection
            // Of a login, not of a statement.
            case .refused?: .login
            case let code?: code
            }
        case .server, .copy: self.sqlState.map(SQLState.relayCode) ?? .unexpected
        // A session has no statement_timeout, so a cancelled statement is an administrator's doing.
        case .cancelled: self.sqlState == SQLState.queryCanceled ? .unavailable : .unexpected
        case .decoding, .invalidValue, .transactionState, .poolClosed: .unexpected
        }
    }

    /// Whether the server has refused what a transaction was to do and the session is as good as before, so that the same can be tried
    /// again in it: what stands in the way is a lock, a full disk, a trigger, a privilege.
    var isRefusalOfWork: Bool {
        guard self.code.kind == .server, let state = self.sqlState else { return false }
        return SQLState.isRefusalOfWork(state)
    }
}

extension SQLState {
    /// What a condition means for a relay, beside the classes of ``relayCodesOfClasses``.
    private static let relayCodes: [String: RelayError.Code] = [
        // A server that was demoted, or a session that was made on a standby.
        "25006": .standby,
        // idle_in_transaction_session_timeout and transaction_timeout, which a session resets: set while it works.
        "25P03": .unavailable, "25P04": .unavailable,
        // A plan that a change of a table has made useless: a new session makes it again.
        "0A000": .unavailable,
        // A queue of notifications that is full until a session that listens has read them.
        "54000": .unavailable,
        "3D000": .databaseMissing,
        // No such schema, table or function.
        "3F000": .schemaMissing, "42P01": .schemaMissing, "42883": .schemaTooOld,
        "42501": .privilege,
    ]

    /// What a class of conditions means for a relay (appendix A of the manual of Postgres).
    private static let relayCodesOfClasses: [String: RelayError.Code] = [
        "08": .connection, "28": .login,
        // Collisions, resources, operators' doing, files.
        "40": .unavailable, "53": .unavailable, "55": .unavailable, "57": .unavailable, "58": .unavailable,
    ]

    /// What a condition means for a relay. All that are not listed, those of an application's triggers too, come from a setting or a
    /// statement: what has worked will work again.
    static func relayCode(_ state: String) -> RelayError.Code {
        self.relayCodes[state] ?? self.relayCodesOfClasses[String(state.prefix(2))] ?? .refused
    }

    /// See ``LibPQError/isRefusalOfWork``.
    static func isRefusalOfWork(_ state: String) -> Bool {
        switch state {
        // Another session, another server, or another outbox is needed.
        case "25006", "0A000", self.invalidStatementName, "42P05", "42P01", "3F000", "42703", "42883":
            false
        default: !["08", "28", "3D", "XX"].contains(String(state.prefix(2)))
        }
    }
}
