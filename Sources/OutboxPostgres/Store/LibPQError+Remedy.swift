import Outbox

extension LibPQError {
    /// What a relay can do about it.
    var remedy: RelayStoreError.Remedy {
        switch self.code.kind {
        case .connectionLost, .timeout: .retry
        case .connect: self.sqlState.map(SQLState.remedy) ?? .retry
        case .server, .copy: self.sqlState.map(SQLState.remedy) ?? .none
        // A session has no statement_timeout, so a cancelled statement is an administrator's doing.
        case .cancelled: self.sqlState == SQLState.queryCanceled ? .retry : .none
        case .configuration, .decoding, .invalidValue, .transactionState, .poolClosed: .none
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
    /// What a relay does about a condition, beside the classes of ``remedies``.
    private static let exceptions: [String: RelayStoreError.Remedy] = [
        // A server that was demoted, or a session that was made on a standby.
        "25006": .retry,
        // idle_in_transaction_session_timeout and transaction_timeout, which a session resets: set while it works.
        "25P03": .retry, "25P04": .retry,
        // A plan that a change of a table has made useless: a new session makes it again.
        "0A000": .retry,
        // A queue of notifications that is full until a session that listens has read them.
        "54000": .retry,
    ]

    /// What a relay does about a class of conditions (appendix A of the manual of Postgres). All others, those of an application's
    /// triggers too, come from a setting, a grant, a name or a statement: what has worked will work again.
    private static let remedies: [String: RelayStoreError.Remedy] = [
        // Connections, collisions, resources, operators' doing, files.
        "08": .retry, "40": .retry, "53": .retry, "55": .retry, "57": .retry, "58": .retry,
    ]

    /// What a relay does about a condition.
    static func remedy(_ state: String) -> RelayStoreError.Remedy {
        self.exceptions[state] ?? self.remedies[String(state.prefix(2))] ?? .retryIfItHasWorked
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
