internal import CLibPQ

extension Connection {
    /// Runs a statement and returns its rows.
    ///
    /// - Throws: ``PostgresError`` with ``PostgresError/Code/server`` if the server refuses the statement,
    ///   ``PostgresError/Code/invalidValue`` if it cannot be sent, ``PostgresError/Code/cancelled``,
    ///   ``PostgresError/Code/connectionLost``, also when the server is silent for too long; see
    ///   ``ConnectionConfiguration/answerTimeout``. ``PostgresError/Code/transactionState`` for a `COMMIT` of a transaction in which a statement
    ///   had failed, which the server has rolled back.
    @discardableResult
    public func query(_ statement: SQLStatement) async throws(PostgresError) -> QueryResult {
        try await query(statement, isShielded: false)
    }

    /// - Parameter isShielded: whether to go on if the task is cancelled.
    @discardableResult
    func query(_ statement: SQLStatement, isShielded: Bool) async throws(PostgresError) -> QueryResult {
        try await withTurn(isShielded: isShielded) { () async throws(PostgresError) in
            try await run([statement], isPipeline: false)[0]
        }
    }

    /// Runs several statements in one round trip and returns the result of each.
    ///
    /// Unless the statements say `BEGIN` and `COMMIT`, they are one transaction: either all take effect, or none does.
    ///
    /// - Throws: as ``query(_:)``; the error is that of the first statement that failed, which
    ///   ``PostgresError/statementIndex`` tells. The connection remains usable.
    public func pipeline(_ statements: [SQLStatement]) async throws(PostgresError) -> [QueryResult] {
        guard !statements.isEmpty else { return [] }
        return try await withTurn { () async throws(PostgresError) in
            try await run(statements, isPipeline: true)
        }
    }

    /// The same as ``pipeline(_:)``, but what comes after one of the statements `ends` begins another transaction, with a
    /// snapshot of its own; still in one round trip.
    ///
    /// - Parameter ends: indices of statements. After a failure the later transactions run all the same.
    package func pipeline(
        _ statements: [SQLStatement], endingTransactionsAfter ends: [Int]
    ) async throws(PostgresError) -> [QueryResult] {
        guard !statements.isEmpty else { return [] }
        return try await withTurn { () async throws(PostgresError) in
            try await run(statements, isPipeline: true, endingTransactionsAfter: ends)
        }
    }

    /// Sends what ``pipeline(_:endingTransactionsAfter:)`` would, and waits for nothing: the server works on it meanwhile.
    ///
    /// ``finish(_:)`` must follow. Until then, others wait for their turn.
    package func begin(
        _ statements: [SQLStatement], endingTransactionsAfter ends: [Int] = []
    ) async throws(PostgresError) -> SentPipeline {
        try await takeTurn(isShielded: false)
        do throws(PostgresError) {
            try await cleanUp()
            return try send(statements, isPipeline: true, endingTransactionsAfter: ends)
        } catch {
            await endTurn()
            throw error
        }
    }

    /// Reads the results of what ``begin(_:endingTransactionsAfter:)`` has sent.
    package func finish(_ pipeline: SentPipeline) async throws(PostgresError) -> [QueryResult] {
        let results: Result<[QueryResult], PostgresError>
        do throws(PostgresError) {
            results = .success(try await receive(pipeline))
        } catch {
            results = .failure(error)
        }
        await endTurn()
        return try results.get()
    }

    /// Runs a script: any number of statements, separated by semicolons, without values. Unless the script says otherwise, it is
    /// one transaction. What it returns is dropped.
    ///
    /// - Throws: as ``query(_:)``; the error is that of the first statement that failed; the ones after it have not run.
    public func execute(script: String) async throws(PostgresError) {
        guard !script.utf8.contains(0) else { throw Self.containsNull("the script") }
        try await withTurn { () async throws(PostgresError) in
            try leavePipelineMode()
            let connection = try unsafe requireLink()
            exchange.statements = [SQLStatement(script)]
            guard unsafe PQsendQuery(connection, script) == 1 else { throw connectionLost() }
            var firstError: PostgresError?
            while let result = try await nextResult() {
                firstError = firstError ?? note(result, of: script)
                switch result.status {
                case PGRES_FATAL_ERROR:
                    firstError = firstError ?? failure(result)
                    if let loss { throw loss }
                case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                    throw abandonAfterCopy()
                default: break
                }
            }
            if let firstError { throw firstError }
        }
    }
}

// MARK: With the turn

/// Statements on their way, and what the server will answer.
package struct SentPipeline: Sendable {
    /// A message of the extended protocol whose answer is still to come.
    fileprivate enum Step {
        case prepare(statement: Int, serverName: String)
        case execute(statement: Int, serverName: String?)
        case sync(statement: Int)

        var statement: Int {
            switch self {
            case .prepare(let statement, _), .execute(let statement, _), .sync(let statement): statement
            }
        }
    }

    fileprivate let statements: [SQLStatement]
    fileprivate let steps: [Step]
    fileprivate let isPipeline: Bool
}

extension Connection {
    private typealias Step = SentPipeline.Step

    /// Sends the statements and a `Sync` after the last one, and reads everything up to the answer to that.
    func run(_ statements: [SQLStatement], isPipeline: Bool, endingTransactionsAfter ends: [Int] = [])
        async throws(PostgresError) -> [QueryResult]
    {
        try await receive(try send(statements, isPipeline: isPipeline, endingTransactionsAfter: ends))
    }

    /// Reads everything up to the answer to the last `Sync`.
    private func receive(_ pipeline: SentPipeline) async throws(PostgresError) -> [QueryResult] {
        let statements = pipeline.statements
        var results: [QueryResult] = []
        results.reserveCapacity(statements.count)
        var firstError: PostgresError?
        for step in pipeline.steps {
            let index = step.statement
            if case .sync = step {
                let error = try await receiveSync(after: pipeline.isPipeline ? index : nil)
                firstError = firstError ?? error
                continue
            }
            while let result = try await nextResult() {
                switch result.status {
                case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY, PGRES_SINGLE_TUPLE:
                    if case .execute = step {
                        let error = note(result, of: statements[index].text, index: pipeline.isPipeline ? index : nil)
                        firstError = firstError ?? error
                        results.append(QueryResult(result))
                    }
                case PGRES_PIPELINE_ABORTED:
                    invalidate(step, of: statements[index], sqlState: nil)
                case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                    throw abandonAfterCopy()
                default:
                    let error = failure(result, statementIndex: pipeline.isPipeline ? index : nil)
                    if loss != nil { throw error }
                    invalidate(step, of: statements[index], sqlState: error.sqlState)
                    firstError = firstError ?? error
                }
            }
        }
        let error = try await receiveSync(after: pipeline.isPipeline ? statements.count - 1 : nil)
        // The end of the whole pipeline, after which libpq is at rest.
        while try await nextResult() != nil {}
        if let error = firstError ?? error { throw error }
        return results
    }

    /// Reads up to the answer to a `Sync`, with which the transaction ends that the statements before it are, unless they are part
    /// of another. What the server refuses then comes after the last of their results: a deferred constraint or trigger, a
    /// collision with another transaction, a full queue of notifications.
    ///
    /// - Parameter index: The last statement before it, if there are several.
    /// - Returns: Why the transaction was not committed; nil: it was, as far as this is for the server to say.
    private func receiveSync(after index: Int?) async throws(PostgresError) -> PostgresError? {
        var error: PostgresError?
        var isAtEnd = false
        while true {
            guard let result = try await nextResult() else {
                // An error is followed by the end of its results, and that by the answer to the Sync.
                if isAtEnd { return error }
                isAtEnd = true
                continue
            }
            isAtEnd = false
            if result.status == PGRES_PIPELINE_SYNC { return error }
            if result.status == PGRES_FATAL_ERROR {
                let failure = failure(
                    result, statementIndex: index,
                    index == nil
                        ? "the server refused to commit the statement"
                        : "the server refused to commit the transaction that ends with this statement")
                if loss != nil { throw failure }
                error = error ?? failure
            }
        }
    }

    /// Learns from the command tag of a result what the statement has done to the session, and whether it has done what it says.
    func note(_ result: borrowing ResultHandle, of text: String, index: Int? = nil) -> PostgresError? {
        let tag = result.commandTag
        if !hasChangedSession, tag.changesSession, !text.changesTransactionOnly { hasChangedSession = true }
        guard tag == .rollback, text.isCommit else { return nil }
        return PostgresError(
            .transactionState,
            "a statement of the transaction had failed, so the server rolled back instead of committing",
            statementIndex: index)
    }

    /// Hands everything to libpq. Nothing is sent unless all of it can be.
    private func send(
        _ statements: [SQLStatement], isPipeline: Bool, endingTransactionsAfter ends: [Int]
    ) throws(PostgresError) -> SentPipeline {
        parameters.removeAll()
        var ranges: [Range<Int>] = []
        ranges.reserveCapacity(statements.count)
        for statement in statements {
            try check(statement)
            ranges.append(try parameters.append(statement.binds))
        }
        let plan = try plan(statements, ranges, ends)
        try enterPipelineMode()
        exchange.statements = statements
        let connection = try unsafe requireLink()
        let isSent = unsafe parameters.withArrays { arrays in
            for step in plan {
                let statement = statements[step.statement]
                let slice = unsafe arrays[ranges[step.statement]]
                let status =
                    switch step {
                    case .prepare(_, let serverName):
                        unsafe PQsendPrepare(connection, serverName, statement.text, slice.count, slice.types)
                    case .execute(_, let serverName?):
                        unsafe PQsendQueryPrepared(
                            connection, serverName, slice.count, slice.values, slice.lengths, slice.formats, 1)
                    case .execute(_, nil):
                        unsafe PQsendQueryParams(
                            connection, statement.text, slice.count, slice.types, slice.values, slice.lengths,
                            slice.formats, 1)
                    case .sync:
                        unsafe PQpipelineSync(connection)
                    }
                guard status == 1 else { return false }
            }
            return unsafe PQpipelineSync(connection) == 1
        }
        // libpq refuses what is well-formed only if the connection is gone or memory is; nothing can be relied upon then.
        guard isSent else { throw connectionLost() }
        return SentPipeline(statements: statements, steps: plan, isPipeline: isPipeline)
    }

    private func plan(
        _ statements: [SQLStatement], _ ranges: [Range<Int>], _ ends: [Int]
    ) throws(PostgresError) -> [Step] {
        var steps: [Step] = []
        steps.reserveCapacity(statements.count + ends.count)
        for (index, statement) in statements.enumerated() {
            if ends.contains(index - 1) { steps.append(.sync(statement: index - 1)) }
            guard usesPreparedStatements, let name = statement.name else {
                steps.append(.execute(statement: index, serverName: nil))
                continue
            }
            switch prepared.lookup(name, text: statement.text, types: parameters.types[ranges[index]]) {
            case .ready(let serverName):
                steps.append(.execute(statement: index, serverName: serverName))
            case .prepare(let serverName):
                steps.append(.prepare(statement: index, serverName: serverName))
                steps.append(.execute(statement: index, serverName: serverName))
            case .conflict:
                for step in steps { invalidate(step, of: statements[step.statement], sqlState: nil) }
                throw PostgresError(
                    .invalidValue, "two statements with different texts have the name \(name)", statementIndex: index)
            }
        }
        return steps
    }

    /// Forgets a statement that was not prepared, or that the server cannot execute as it was prepared.
    private func invalidate(_ step: Step, of statement: SQLStatement, sqlState: String?) {
        guard let name = statement.name else { return }
        switch step {
        case .prepare(_, let serverName):
            prepared.invalidate(name, serverName: serverName)
        case .execute(_, let serverName?):
            // 0A000: a table has changed so that the plan's columns are not what they were.
            if sqlState == SQLState.invalidStatementName || sqlState == SQLState.featureNotSupported {
                prepared.invalidate(name, serverName: serverName)
            }
        case .execute(_, nil), .sync: break
        }
    }

    private func check(_ statement: SQLStatement) throws(PostgresError) {
        guard !statement.text.utf8.contains(0) else { throw Self.containsNull("the statement") }
        if let name = statement.name, name.isEmpty || name.utf8.contains(0) {
            throw PostgresError(.invalidValue, "the name of a prepared statement is empty or has the character U+0000")
        }
        let start = statement.text.utf8.prefix { $0 == 32 || (9...13).contains($0) }.count
        if statement.text.utf8.dropFirst(start).prefix(5).elementsEqual("copy ".utf8, by: { $0 | 32 == $1 }) {
            throw PostgresError(.copy, "COPY … FROM STDIN is sent with copyIn; COPY … TO STDOUT is not supported")
        }
    }

    /// libpq cannot leave a COPY that was begun in this way.
    private func abandonAfterCopy() -> PostgresError {
        let error = PostgresError(.copy, "COPY is sent with copyIn; the connection had to be closed")
        lose(error)
        return error
    }

    static func containsNull(_ what: String) -> PostgresError {
        PostgresError(.invalidValue, "\(what) has the character U+0000")
    }

    private func enterPipelineMode() throws(PostgresError) {
        guard !isInPipelineMode else { return }
        let connection = try unsafe requireLink()
        guard unsafe PQenterPipelineMode(connection) == 1 else { throw connectionLost() }
        isInPipelineMode = true
    }

    /// Only the extended protocol can be pipelined, so scripts and COPY have to leave the mode.
    func leavePipelineMode() throws(PostgresError) {
        guard isInPipelineMode else { return }
        let connection = try unsafe requireLink()
        guard unsafe PQexitPipelineMode(connection) == 1 else { throw connectionLost() }
        isInPipelineMode = false
    }
}
