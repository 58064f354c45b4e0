import Outbox
import OutboxPostgres
import OutboxTesting

/// Why the program ends without having done what was asked: a line for a person and a number for a script.
struct CommandFailure: Error {
    let status: ExitStatus
    let message: String

    init(_ status: ExitStatus, _ message: String) {
        self.status = status
        self.message = message
    }
}

extension CommandFailure {
    /// What an error thrown anywhere below means for the one who called the program.
    init(_ error: any Error) {
        switch error {
        case let error as CommandFailure: self = error
        case let error as PostgresError: self.init(error)
        case let error as TransactionError:
            let cause: (any Error)? = error.beginError ?? error.bodyError ?? error.commitError ?? error.rollbackError
            let status = cause.map { CommandFailure($0).status } ?? .failure
            self.init(status, error.description)
        case let error as RelayStoreError: self.init(error)
        case let error as OutboxError: self.init(error)
        case let error as EphemeralServerError: self.init(.unavailable, error.description)
        case let error as InvalidMessage: self.init(.badInput, error.description)
        case let error as OutboxSchemaError: self.init(.usage, "--schema: \(error.description)")
        case is CancellationError: self.init(.failure, "cancelled")
        default: self.init(.failure, String(describing: error))
        }
    }

    private init(_ error: PostgresError) {
        self.init(Self.status(of: error), error.description)
    }

    private init(_ error: OutboxError) {
        switch error.code {
        case .privilege: self.init(.noPermission, error.description)
        case .unknownVersion: self.init(.usage, error.description)
        case .schemaMissing, .schemaOccupied, .schemaUnversioned, .schemaOutdated, .schemaNewer, .drift:
            self.init(.wrongSchema, error.description)
        default: self.init(.failure, error.description)
        }
    }

    private init(_ error: RelayStoreError) {
        if let cause = error.underlying as? PostgresError {
            self.init(Self.status(of: cause), error.description)
        } else if let cause = error.underlying as? OutboxError {
            self.init(cause)
        } else {
            // The schema was checked before the relay began, so what is left and does not pass is a privilege.
            self.init(error.isRetriable ? .unavailable : .noPermission, error.description)
        }
    }

    private static func status(of error: PostgresError) -> ExitStatus {
        switch error.sqlState {
        case "42501": return .noPermission
        // A setting of the session that the server does not take: PGTZ, PGOPTIONS.
        case "42704" where error.code == .connect, "42601" where error.code == .connect: return .usage
        case let state? where state.hasPrefix("22") && error.code == .connect: return .usage
        case "3D000", "3F000", "42P01", "42883": return .wrongSchema
        case let state? where state.hasPrefix("28"): return .noPermission
        case let state? where state.hasPrefix("22") || state.hasPrefix("23"): return .badInput
        default: break
        }
        switch error.code {
        case .configuration: return .usage
        case .connect, .connectionLost, .timeout: return .unavailable
        default: return error.isRetriable ? .unavailable : .failure
        }
    }
}
