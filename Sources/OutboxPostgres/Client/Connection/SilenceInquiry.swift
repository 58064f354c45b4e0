internal import Logging
internal import Outbox
import OutboxRuntime

/// Asks a server over a connection of its own what a session does that owes an answer and says nothing.
struct SilenceInquiry: Sendable {
    /// The same server, on the same address.
    let configuration: LibPQConfiguration
    /// The process of the session, as the server or the pooler has called it at login.
    let processID: Int32
    let loop: SocketLoop
    let logger: Logger

    private enum Finding {
        case working(ServerWork)
        /// The session is there and waits for its client.
        case waiting
        /// There is no such session.
        case missing
    }

    /// The process number of a session that has ended is used again one day. Two of the same age are the same.
    private static let ageTolerance = Duration.seconds(30)

    /// Tells `connection` what its server does, and ends the session there if the connection was given up for its silence.
    ///
    /// - Parameters:
    ///   - id: The exchange in which the server is silent.
    ///   - statements: What is executed.
    ///   - age: How long the session has existed.
    ///   - deadline: When the connection is given up.
    func run(
        for connection: LibPQConnection, exchange id: Int, statements: [LibPQStatement], age: Duration,
        until deadline: ContinuousClock.Instant
    ) async {
        let asked = ContinuousClock.now
        let time = deadline - asked
        var configuration = self.configuration
        // One that is silent too has said enough.
        configuration.answerTimeout = max(time, .milliseconds(1))
        configuration.usesPreparedStatements = false
        do throws(LibPQError) {
            let second = try await LibPQConnection.connect(configuration, logger: logger, loop: loop)
            await second.endInquiries()
            do throws(LibPQError) {
                try await ask(over: second, for: connection, id, statements, age, asked, deadline)
            } catch {
                logger.debug("A server that is silent cannot be asked why", metadata: ["error": "\(error)"])
            }
            await second.close()
        } catch {
            logger.debug("A server that is silent cannot be asked why", metadata: ["error": "\(error)"])
        }
    }

    private func ask(
        over second: LibPQConnection, for connection: LibPQConnection, _ id: Int, _ statements: [LibPQStatement],
        _ age: Duration,
        _ asked: ContinuousClock.Instant, _ deadline: ContinuousClock.Instant
    ) async throws(LibPQError) {
        let own = try await second.query("SELECT pg_catalog.pg_backend_pid()")[0].decode(0, as: Int32.self)
        let isPooled = own != second.processID
        var finding = try await look(over: second, statements, isPooled: isPooled)
        if case .working = finding {
        } else {
            // What the server has said last may be on its way still.
            let margin = (deadline - asked) / 8
            try? await Task.sleep(until: deadline - margin)
            finding = try await look(over: second, statements, isPooled: isPooled)
        }
        if case .working(let work) = finding { return await connection.silentServer(in: id, does: work) }
        guard await connection.silentServer(isWaitingIn: id), !isPooled, case .waiting = finding else { return }
        let age = age + (.now - asked)
        let oldest = (age + Self.ageTolerance).seconds
        let youngest = (age - Self.ageTolerance).seconds
        // What it holds, it would hold for hours: the server sees no reason to end it.
        try await second.query(
            """
            SELECT pg_catalog.pg_terminate_backend(pid)
            FROM pg_catalog.pg_stat_activity,
                LATERAL (SELECT EXTRACT(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) backend_start)
                    ::pg_catalog.float8 AS age) AS session
            WHERE pid OPERATOR(pg_catalog.=) \(processID)
                AND age OPERATOR(pg_catalog.>) \(youngest) AND age OPERATOR(pg_catalog.<) \(oldest)
            """)
        logger.debug(
            "The session of a connection that was given up was ended", metadata: ["postgres.process": "\(processID)"])
    }

    private func look(
        over second: LibPQConnection, _ statements: [LibPQStatement], isPooled: Bool
    ) async throws(LibPQError) -> Finding {
        let result = try await second.query(
            isPooled ? Self.sessionsExecuting(statements) : Self.session(processID))
        var finding = Finding.missing
        for row in result {
            let state: String? = try row.decode(0)
            let type: String? = try row.decode(1)
            let event: String? = try row.decode(2)
            // Where track_activities is off, the state is “disabled”, and what it waits for is there all the same.
            guard state?.hasPrefix("idle") != true, type != "Client" else {
                finding = .waiting
                continue
            }
            let blockers: String? = try row.decode(3)
            let kind: ServerWork.Kind =
                switch (type, event) {
                case ("Lock", _): .lock
                case (_, "SyncRep"): .synchronousStandby
                default: .statement
                }
            return .working(ServerWork(kind: kind, blockers: blockers ?? ""))
        }
        return finding
    }

    private static let columns = """
        SELECT state, wait_event_type, wait_event,
            CASE wait_event_type WHEN 'Lock' THEN pg_catalog.array_to_string(pg_catalog.pg_blocking_pids(pid), ', ') END
        FROM pg_catalog.pg_stat_activity
        """

    private static func session(_ process: Int32) -> LibPQStatement {
        "\(unescaped: columns) WHERE pid OPERATOR(pg_catalog.=) \(process)"
    }

    /// Behind a pooler, the number of the process is the pooler's. The server keeps the beginning of what a session executes.
    private static func sessionsExecuting(_ statements: [LibPQStatement]) -> LibPQStatement {
        let texts = LibPQValue.textArray(statements.prefix(64).map(\.text))
        return """
            \(unescaped: columns)
            WHERE pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()
                AND usename OPERATOR(pg_catalog.=) SESSION_USER AND query OPERATOR(pg_catalog.<>) ''
                AND state OPERATOR(pg_catalog.=) 'active'
                AND EXISTS (SELECT FROM pg_catalog.unnest(\(texts)) AS given (text)
                    WHERE pg_catalog.starts_with(given.text, query))
            """
    }
}

extension LibPQConnection {
    /// Its silence is not asked about: it is asking itself.
    func endInquiries() {
        mayInquire = false
    }
}
