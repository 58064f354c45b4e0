import Outbox
import OutboxPostgres
import OutboxTestServers

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
    /// What an error thrown anywhere below means for the program's caller.
    init(_ error: any Error) {
        switch error {
        case let error as CommandFailure: self = error
        case let error as LibPQError: self.init(error)
        case let error as LibPQTransactionError:
            let cause: (any Error)? = error.beginError ?? error.bodyError ?? error.commitError ?? error.rollbackError
            let status = cause.map { CommandFailure($0).status } ?? .failure
            var message = error.description
            if error.isCommitUnknown { message += "; look whether it is done before you do it again" }
            self.init(status, message)
        case let error as RelayStoreError: self.init(error)
        case let error as OutboxError: self.init(error)
        case let error as EphemeralServerError: self.init(.unavailable, error.description)
        case let error as InvalidMessage: self.init(.badInput, error.description)
        case let error as OutboxSchemaError: self.init(.usage, "--schema: \(error.description)")
        case is CancellationError: self.init(.failure, "cancelled")
        default: self.init(.failure, String(describing: error))
        }
    }

    private init(_ error: LibPQError) {
        self.init(ExitStatus(error), error.description)
    }

    private init(_ error: OutboxError) {
        self.init(ExitStatus(error.code) ?? .failure, error.description)
    }

    private init(_ error: RelayStoreError) {
        switch error.underlying {
        case let cause as LibPQError:
            let status = ExitStatus(cause)
            // A relay has no input that could be wrong.
            self.init(status == .badInput ? .failure : status, error.description)
        case let cause as OutboxError:
            self.init(ExitStatus(cause.code) ?? .failure, error.description)
        default:
            self.init(error.isRetriable ? .unavailable : .failure, error.description)
        }
    }
}
