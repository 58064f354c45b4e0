import Outbox
import OutboxPostgres

/// Which number the program ends with for which error. What is not in these tables is a ``failure``, without a guess.
extension ExitStatus {
    /// For what ends a relay.
    static let ofRelay: [RelayError.Code: ExitStatus] = [
        .configuration: .usage, .noRoutes: .usage, .pooler: .usage,
        .connection: .unavailable, .unavailable: .unavailable, .standby: .unavailable, .logChanged: .unavailable,
        .login: .noPermission, .privilege: .noPermission,
        .databaseMissing: .wrongSchema, .schemaMissing: .wrongSchema, .schemaUnversioned: .wrongSchema,
        .schemaTooOld: .wrongSchema, .schemaTooNew: .wrongSchema,
        .alreadyRun: .failure, .transportEnded: .failure, .log: .failure, .refused: .failure, .misuse: .failure,
        .unexpected: .failure,
    ]

    /// For what is wrong with an outbox. A name that a relay's errors have too has the same number.
    static let ofOutbox: [OutboxError.Code: ExitStatus] = [
        .schemaName: .usage, .unknownVersion: .usage,
        .privilege: .noPermission,
        .schemaMissing: .wrongSchema, .schemaOccupied: .wrongSchema, .schemaUnversioned: .wrongSchema,
        .schemaTooOld: .wrongSchema, .schemaTooNew: .wrongSchema, .drift: .wrongSchema,
        .streamMissing: .failure, .streamParts: .failure, .streamBusy: .unavailable, .streamUnread: .failure,
        .subscriptionMissing: .failure, .subscriptionBusy: .failure,
    ]

    /// For errors of the client without a condition of the server, and for those whose condition is in no table.
    static let ofClient: [LibPQError.Code: ExitStatus] = [
        .configuration: .usage, .connect: .unavailable, .connectionLost: .unavailable, .timeout: .unavailable,
        .poolClosed: .failure, .cancelled: .failure, .decoding: .failure, .transactionState: .failure, .copy: .failure,
        .invalidValue: .badInput,
    ]

    init(_ code: RelayError.Code) { self = Self.ofRelay[code] ?? .failure }

    init(_ code: OutboxError.Code) { self = Self.ofOutbox[code] ?? .failure }

    /// For what the client or the server says.
    init(_ error: LibPQError) {
        if let state = error.sqlState, let status = Self.status(ofState: state, isLogin: error.code == .connect) {
            self = status
        } else {
            self = Self.ofClient[error.code] ?? (error.isRetriable ? .unavailable : .failure)
        }
    }

    /// For a condition of the server (appendix A of the manual of Postgres): by all five characters, or else by the class.
    private static func status(ofState state: String, isLogin: Bool) -> ExitStatus? {
        // What the server refuses at login are settings: PGTZ, PGOPTIONS.
        if isLogin, let status = loginStates[state] ?? loginStates[String(state.prefix(2))] { return status }
        return states[state] ?? states[String(state.prefix(2))]
    }

    private static let loginStates: [String: ExitStatus] = ["22": .usage, "42704": .usage, "42601": .usage]

    private static let states: [String: ExitStatus] = [
        // The connection; the server's resources; an operator; a server that takes no writes at the moment.
        "08": .unavailable, "53": .unavailable, "57P01": .unavailable, "57P02": .unavailable, "57P03": .unavailable,
        "25006": .unavailable,
        // Collisions, deadlocks, locks that were not free in time.
        "40001": .unavailable, "40P01": .unavailable, "55P03": .unavailable,
        "28": .noPermission, "42501": .noPermission,
        // No such database, schema, table or function.
        "3D000": .wrongSchema, "3F000": .wrongSchema, "42P01": .wrongSchema, "42883": .wrongSchema,
        // A value that cannot be; a constraint that is violated.
        "22": .badInput, "23": .badInput,
    ]
}
