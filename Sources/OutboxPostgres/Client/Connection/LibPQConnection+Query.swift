internal import CLibPQ

extension LibPQConnection {
    /// Runs a statement and returns its rows.
    ///
    /// - Throws: ``LibPQError`` with ``LibPQError/Code/server`` if the server refuses the statement,
    ///   ``LibPQError/Code/invalidValue`` if it cannot be sent, ``LibPQError/Code/cancelled``,
    ///   ``LibPQError/Code/connectionLost``, also when the server is silent for too long; see
    ///   ``LibPQConfiguration/answerTimeout``. ``LibPQError/Code/transactionState`` for a `COMMIT` of a transaction in which a statement
    ///   had failed, which the server has rolled back.
    @discardableResult
    public func query(_ statement: LibPQStatement) async throws(LibPQError) -> LibPQResult {
        try await query(statement, isShielded: false)
    }

    /// - Parameter isShielded: whether to go on if the task is cancelled.
    @discardableResult
    func query(_ statement: LibPQStatement, isShielded: Bool) async throws(LibPQError) -> LibPQResult {
        try await withTurn(isShielded: isShielded) { () async throws(LibPQError) in
            try await run([statement], isPipeline: false)[0]
        }
    }

    /// Runs several statements in one round trip and returns the result of each.
    ///
    /// Unless the statements say `BEGIN` and `COMMIT`, they are one transaction: either all take effect, or none does.
    ///
    /// - Throws: as ``query(_:)``; the error is that of the first statement that failed, which
    ///   ``LibPQError/statementIndex`` tells. The connection remains usable.
    package func pipeline(_ statements: [LibPQStatement]) async throws(LibPQError) -> [LibPQResult] {
        guard !statements.isEmpty else { return [] }
        return try await withTurn { () async throws(LibPQError) in
            try await run(statements, isPipeline: true)
        }
    }

    /// The same as ``pipeline(_:)``, but what comes after one of the statements `ends` begins another transaction, with a
    /// snapshot of its own; still in one round trip.
    ///
    /// - Parameter ends: indices of statements. After a failure the later transactions run all the same.
    package func pipeline(
        _ statements: [LibPQStatement], endingTransactionsAfter ends: [Int]
    ) async throws(LibPQError) -> [LibPQResult] {
        guard !statements.isEmpty else { return [] }
        return try await withTurn { () async throws(LibPQError) in
            try await run(statements, isPipeline: true, endingTransactionsAfter: ends)
        }
    }

    /// Sends what ``pipeline(_:endingTransactionsAfter:)`` would, and waits for nothing: the server works on it meanwhile.
    ///
    /// ``finish(_:)`` must follow. Until then, others wait for their turn.
    package func begin(
        _ statements: [LibPQStatement], endingTransactionsAfter ends: [Int] = []
    ) async throws(LibPQError) -> SentPipeline {
        try await takeTurn(isShielded: false)
        do throws(LibPQError) {
            try await cleanUp()
            return try send(statements, isPipeline: true, endingTransactionsAfter: ends)
        } catch {
            await endTurn()
            throw error
        }
    }

    /// Reads the results of what ``begin(_:endingTransactionsAfter:)`` has sent.
    package func finish(_ pipeline: SentPipeline) async throws(LibPQError) -> [LibPQResult] {
        let results: Result<[LibPQResult], LibPQError>
        do throws(LibPQError) {
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
    public func execute(script: String) async throws(LibPQError) {
        guard !script.utf8.contains(0) else { throw Self.containsNull("the script") }
        try await withTurn { () async throws(LibPQError) in
            try leavePipelineMode()
            let connection = try unsafe requireLink()
            exchange.statements = [LibPQStatement(script)]
            guard unsafe PQsendQuery(connection, script) == 1 else { throw connectionLost() }
            var firstError: LibPQError?
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

    fileprivate let statements: [LibPQStatement]
    fileprivate let steps: [Step]
    fileprivate let isPipeline: Bool
    /// Which parameters are of which statement.
    fileprivate let ranges: [Range<Int>]
}

extension LibPQConnection {
    private typealias Step = SentPipeline.Step

    /// Sends the statements and a `Sync` after the last one, and reads everything up to the answer to that.
    func run(_ statements: [LibPQStatement], isPipeline: Bool, endingTransactionsAfter ends: [Int] = [])
        async throws(LibPQError) -> [LibPQResult]
    {
        try await receive(try send(statements, isPipeline: isPipeline, endingTransactionsAfter: ends))
    }

    /// Reads everything up to the answer to the last `Sync`.
    private func receive(_ pipeline: SentPipeline) async throws(LibPQError) -> [LibPQResult] {
        let statements = pipeline.statements
        var results: [LibPQResult] = []
        results.reserveCapacity(statements.count)
        var firstError: LibPQError?
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
                        results.append(LibPQResult(result))
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
    private func receiveSync(after index: Int?) async throws(LibPQError) -> LibPQError? {
        var error: LibPQError?
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
    func note(_ result: borrowing ResultHandle, of text: String, index: Int? = nil) -> LibPQError? {
        let tag = result.commandTag
        if !hasChangedSession, tag.changesSession, !text.changesTransactionOnly { hasChangedSession = true }
        guard tag == .rollback, text.isCommit else { return nil }
        return LibPQError(
            .transactionState,
            "a statement of the transaction had failed, so the server rolled back instead of committing",
            statementIndex: index)
    }

    /// Hands everything to libpq. Nothing is sent unless all of it can be.
    private func send(
        _ statements: [LibPQStatement], isPipeline: Bool, endingTransactionsAfter ends: [Int]
    ) throws(LibPQError) -> SentPipeline {
        parameters.removeAll()
        let ranges = try encode(statements, into: &parameters)
        let steps = try plan(statements, ranges, types: parameters.types, ends)
        let pipeline = SentPipeline(statements: statements, steps: steps, isPipeline: isPipeline, ranges: ranges)
        try transmit(pipeline, &parameters)
        return pipeline
    }

    private func encode(
        _ statements: [LibPQStatement], into buffer: inout ParameterBuffer
    ) throws(LibPQError) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        ranges.reserveCapacity(statements.count)
        for statement in statements {
            try check(statement)
            ranges.append(try buffer.append(statement.binds))
        }
        return ranges
    }

    /// Has statements ready to be sent at once.
    ///
    /// - Returns: nil: not all of them are known to the server yet.
    func encodeReady(
        _ statements: [LibPQStatement]
    ) throws(LibPQError) -> (pipeline: SentPipeline, parameters: ParameterBuffer)? {
        var buffer = ParameterBuffer()
        let ranges = try encode(statements, into: &buffer)
        let areReady = zip(statements, ranges).allSatisfy { statement, range in
            guard usesPreparedStatements, let name = statement.name else { return true }
            return prepared.isReady(name, text: statement.text, types: buffer.types[range])
        }
        if !areReady { return nil }
        let steps = try plan(statements, ranges, types: buffer.types, [])
        return (SentPipeline(statements: statements, steps: steps, isPipeline: true, ranges: ranges), buffer)
    }

    /// Hands statements and their values to libpq, which sends them as far as the socket takes them.
    func transmit(_ pipeline: SentPipeline, _ parameters: inout ParameterBuffer) throws(LibPQError) {
        try enterPipelineMode()
        exchange.statements = pipeline.statements
        let connection = try unsafe requireLink()
        let isSent = unsafe parameters.withArrays { arrays in
            for step in pipeline.steps {
                let statement = pipeline.statements[step.statement]
                let slice = unsafe arrays[pipeline.ranges[step.statement]]
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
    }

    private func plan(
        _ statements: [LibPQStatement], _ ranges: [Range<Int>], types: [UInt32], _ ends: [Int]
    ) throws(LibPQError) -> [Step] {
        var steps: [Step] = []
        steps.reserveCapacity(statements.count + ends.count)
        for (index, statement) in statements.enumerated() {
            if ends.contains(index - 1) { steps.append(.sync(statement: index - 1)) }
            guard usesPreparedStatements, let name = statement.name else {
                steps.append(.execute(statement: index, serverName: nil))
                continue
            }
            switch prepared.lookup(name, text: statement.text, types: types[ranges[index]]) {
            case .ready(let serverName):
                steps.append(.execute(statement: index, serverName: serverName))
            case .prepare(let serverName):
                steps.append(.prepare(statement: index, serverName: serverName))
                steps.append(.execute(statement: index, serverName: serverName))
            case .conflict:
                for step in steps { invalidate(step, of: statements[step.statement], sqlState: nil) }
                throw LibPQError(
                    .invalidValue, "two statements with different texts have the name \(name)", statementIndex: index)
            }
        }
        return steps
    }

    /// Forgets a statement that was not prepared, or that the server cannot execute as it was prepared.
    private func invalidate(_ step: Step, of statement: LibPQStatement, sqlState: String?) {
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

    private func check(_ statement: LibPQStatement) throws(LibPQError) {
        // It takes longer to look for a NUL in a long text than to send it.
        if let name = statement.name, prepared.isKnown(name, text: statement.text) { return }
        guard !statement.text.utf8.contains(0) else { throw Self.containsNull("the statement") }
        if let name = statement.name, name.isEmpty || name.utf8.contains(0) {
            throw LibPQError(.invalidValue, "the name of a prepared statement is empty or has the character U+0000")
        }
        let start = statement.text.utf8.prefix { $0 == 32 || (9...13).contains($0) }.count
        if statement.text.utf8.dropFirst(start).prefix(5).elementsEqual("copy ".utf8, by: { $0 | 32 == $1 }) {
            throw LibPQError(.copy, "COPY … FROM STDIN is sent with copyIn; COPY … TO STDOUT is not supported")
        }
    }

    /// libpq cannot leave a COPY that was begun in this way.
    private func abandonAfterCopy() -> LibPQError {
        let error = LibPQError(.copy, "COPY is sent with copyIn; the connection had to be closed")
        lose(error)
        return error
    }

    static func containsNull(_ what: String) -> LibPQError {
        LibPQError(.invalidValue, "\(what) has the character U+0000")
    }

    private func enterPipelineMode() throws(LibPQError) {
        guard !isInPipelineMode else { return }
        let connection = try unsafe requireLink()
        guard unsafe PQenterPipelineMode(connection) == 1 else { throw connectionLost() }
        isInPipelineMode = true
    }

    /// Only the extended protocol can be pipelined, so scripts and COPY have to leave the mode.
    func leavePipelineMode() throws(LibPQError) {
        guard isInPipelineMode else { return }
        let connection = try unsafe requireLink()
        guard unsafe PQexitPipelineMode(connection) == 1 else { throw connectionLost() }
        isInPipelineMode = false
    }
}
