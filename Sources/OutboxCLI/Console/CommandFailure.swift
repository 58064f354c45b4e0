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
        let message = CommandAdvice.completed(error)
        switch error {
        case let error as CommandFailure: self = error
        case let error as RelayError: self.init(ExitStatus(error.code), message)
        case let error as OutboxError: self.init(ExitStatus(error.code), message)
        case let error as LibPQError: self.init(ExitStatus(error), message)
        case let error as LibPQTransactionError:
            let cause: (any Error)? = error.beginError ?? error.bodyError ?? error.commitError ?? error.rollbackError
            self.init(cause.map { CommandFailure($0).status } ?? .failure, message)
        case is EphemeralServerError: self.init(.unavailable, message)
        case is InvalidMessage: self.init(.badInput, message)
        case is CancellationError: self.init(.failure, "cancelled")
        default: self.init(.failure, message)
        }
    }
}
