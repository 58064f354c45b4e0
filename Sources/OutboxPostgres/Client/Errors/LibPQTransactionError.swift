/// Why a transaction did not commit, with the failures of its parts kept apart.
public struct LibPQTransactionError: Error, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    /// `BEGIN` failed; nothing else was tried.
    package var beginError: LibPQError?
    /// What the closure threw.
    public var bodyError: (any Error)?
    /// The rollback after ``bodyError`` failed. The server rolls back as soon as it notices that the connection is gone.
    package var rollbackError: LibPQError?
    /// `COMMIT` failed. If ``isCommitUnknown`` is true, the transaction may have been committed all the same; else it was not.
    package var commitError: LibPQError?

    /// Creates an error from its parts.
    package init(
        beginError: LibPQError? = nil, bodyError: (any Error)? = nil, rollbackError: LibPQError? = nil,
        commitError: LibPQError? = nil
    ) {
        self.beginError = beginError
        self.bodyError = bodyError
        self.rollbackError = rollbackError
        self.commitError = commitError
    }

    /// Whether the connection was lost while `COMMIT` was on its way: the transaction may have been committed, or not. To find out, look
    /// over another connection for what it should have done.
    public var isCommitUnknown: Bool { commitError?.isOutcomeUnknown == true }

    /// Whether running the transaction again may well succeed, without risk that it takes effect twice.
    public var isRetriable: Bool {
        if let commitError { return commitError.isRetriable && !commitError.isOutcomeUnknown }
        if let beginError { return beginError.isRetriable }
        switch bodyError {
        case let error as LibPQError: return error.isRetriable
        case let error as LibPQTransactionError: return error.isRetriable
        default: return false
        }
    }

    /// What failed, without values or credentials.
    public var description: String {
        parts.joined(separator: "; ")
    }

    private var parts: [String] {
        var parts: [String] = []
        if let beginError { parts.append("BEGIN failed: \(beginError)") }
        switch bodyError {
        case nil: break
        case let error as LibPQError: parts.append("the transaction failed: \(error)")
        // Of a savepoint in it. What ended the connection failed both, and is told once.
        case let error as LibPQTransactionError: parts += error.parts
        // The application's error may say anything, so only its type is named here.
        case let error?: parts.append("the transaction's closure threw a \(type(of: error))")
        }
        for (action, error) in [("ROLLBACK", rollbackError), ("COMMIT", commitError)] {
            guard let error else { continue }
            let part = "\(action) failed: \(error)"
            if !parts.contains(part) { parts.append(part) }
        }
        return parts
    }

    /// All that is known, the words of the server and of the closure's error included.
    public var debugDescription: String {
        let parts: [(String, (any Error)?)] = [
            ("begin", beginError), ("body", bodyError), ("rollback", rollbackError), ("commit", commitError),
        ]
        return "LibPQTransactionError"
            + parts.compactMap { label, error in error.map { "\n\(label): \(String(reflecting: $0))" } }.joined()
    }
}
