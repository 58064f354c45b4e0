internal import CLibPQ
internal import DequeModule
public import Logging
internal import Outbox
import OutboxRuntime
internal import Synchronization

/// A session with a Postgres server.
///
/// One statement runs at a time; callers queue in the order in which they came. If the task of a running statement is cancelled, the server
/// is asked to cancel the statement, which then throws ``LibPQError/Code/cancelled``; a statement that was done before the
/// request arrived returns its result. Either way the connection remains usable, unless the server does neither within 5
/// seconds: it is lost then.
///
/// Its code runs on a thread that waits for sockets. Code that is not isolated to the connection merely calls it.
public actor LibPQConnection {
    /// The number of the server process behind this session.
    package nonisolated let processID: Int32
    /// The version of the server, such as 150020 for 15.20.
    package nonisolated let serverVersion: Int
    /// The thread that this connection runs on.
    package nonisolated let loop: SocketLoop

    let logger: Logger
    let cancelKey: CancelKey
    let answerTimeout: Duration?
    let usesPreparedStatements: Bool
    let established = ContinuousClock.now
    /// How to find out over another connection what this session does.
    let inquiry: SilenceInquiry
    var link: ServerLink
    var source: SocketSource?
    /// Why the connection cannot be used any more.
    var loss: LibPQError?
    var isClosed = false
    /// Whether a server that is silent is asked why.
    var mayInquire = true

    var turn = TurnQueue()
    var exchange = Exchange()
    var activity = ActivityState()
    var parameters = ParameterBuffer()
    /// What is sent as soon as a notification comes.
    var staged: StagedPipeline?
    var prepared = PreparedStatements()
    var isInPipelineMode = false
    /// Whether a statement may have made the session other than a new one.
    var hasChangedSession = false
    /// Why the session cannot do its work any more, although the connection is there.
    var unfitness: LibPQError?
    var copyBytesSinceFlush = 0

    /// The transaction that is open, if it was begun with ``begin(isolation:readOnly:)``.
    var currentTransaction: Int?
    /// Whether it was asked for that it cannot write.
    var isInReadOnlyTransaction = false
    var lastID = 0
    /// The number of the last ``LibPQTransaction`` that was dropped while open, until it has been rolled back.
    nonisolated let abandonedTransaction = Atomic<Int>(0)
    nonisolated let lastSavepoint = Atomic<Int>(0)
    nonisolated let isWoken = Atomic<Bool>(false)

    /// The thread that waits for the connection's socket.
    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe loop.asUnownedSerialExecutor()
    }

    /// Connects to a server.
    ///
    /// - Parameters:
    ///   - configuration: where the server is and how to log in.
    ///   - logger: gets the server's notices, at debug, and for what a statement waits that takes very long, at notice and warning.
    /// - Throws: ``LibPQError/Code/configuration``, ``LibPQError/Code/connect``, ``LibPQError/Code/timeout`` or
    ///   ``LibPQError/Code/cancelled``.
    public static func connect(
        _ configuration: LibPQConfiguration, logger: Logger = Logger(label: "outbox.postgres")
    ) async throws(LibPQError) -> LibPQConnection {
        try await connect(configuration, logger: logger, loop: .shared)
    }

    /// Connects to a server; the connection runs on the thread of `loop`.
    package static func connect(
        _ configuration: LibPQConfiguration, logger: Logger = Logger(label: "outbox.postgres"), loop: SocketLoop
    ) async throws(LibPQError) -> LibPQConnection {
        let parcel = try await ConnectAttempt.run(configuration, logger: logger)
        let connection = try await LibPQConnection(parcel, configuration, logger: logger, loop: loop)
        do throws(LibPQError) {
            try await connection.prepareSession()
        } catch {
            await connection.close()
            throw error
        }
        return connection
    }

    /// Sets what this client relies on, where the session has it otherwise.
    func prepareSession() async throws(LibPQError) {
        // A backslash in a literal is a backslash, whatever the role or the database was set to.
        if parameterStatus("standard_conforming_strings") == "off" {
            try await execute(script: "SET standard_conforming_strings = on")
            hasChangedSession = false
        }
    }

    private init(
        _ parcel: ConnectAttempt.Parcel, _ configuration: LibPQConfiguration, logger: Logger, loop: SocketLoop
    ) async throws(LibPQError) {
        guard let link = parcel.take(), let cancelKey = CancelKey(link), let connection = unsafe link.pointer else {
            throw LibPQError(.connect, "libpq is out of memory")
        }
        answerTimeout = configuration.answerTimeout
        usesPreparedStatements = configuration.usesPreparedStatements
        inquiry = SilenceInquiry(
            configuration: unsafe configuration.pinned(
                host: Self.text(PQhost(connection)), address: Self.text(PQhostaddr(connection)),
                port: Self.text(PQport(connection))),
            processID: unsafe PQbackendPID(connection), loop: loop, logger: logger)
        self.loop = loop
        self.logger = logger
        self.cancelKey = cancelKey
        processID = unsafe PQbackendPID(connection)
        serverVersion = unsafe Int(PQserverVersion(connection))
        let descriptor = unsafe PQsocket(connection)
        self.link = link
        source = SocketSource(descriptor: descriptor) { [unowned self] events in
            // The loop calls on its thread, which is this actor's executor.
            self.assumeIsolated { $0.socketReady(events) }
        }
    }

    /// Ends the session at once. What is running or waiting throws ``LibPQError/Code/connectionLost``, and the server is asked to
    /// cancel it. A connection closes by itself when the last reference to it is gone.
    public func close() {
        guard loss == nil else { return }
        // The server does not look for a closed socket while it executes.
        if turn.isTaken { _ = DedicatedThread.start { [cancelKey] in cancelKey.sendRequest() } }
        isClosed = true
        lose(LibPQError(.connectionLost, "the connection was closed by close()"))
    }

    /// What the server reports about a parameter of the session, such as `server_encoding` or `in_hot_standby`; `nil` if it does not
    /// report that one.
    package func parameterStatus(_ name: String) -> String? {
        guard let connection = unsafe link.pointer, let value = unsafe PQparameterStatus(connection, name) else {
            return nil
        }
        return unsafe String(cString: value)
    }

    private static func text(_ pointer: UnsafePointer<CChar>?) -> String {
        unsafe pointer.map { unsafe String(cString: $0) } ?? ""
    }

    /// Whether the connection can be used, as far as is known without asking the server.
    package var isUsable: Bool {
        checkIdleSocket()
        return loss == nil
    }

    func nextID() -> Int {
        lastID += 1
        return lastID
    }
}

// MARK: Loss

extension LibPQConnection {
    /// The open connection.
    func requireLink() throws(LibPQError) -> OpaquePointer {
        if let loss { throw loss }
        guard let connection = unsafe link.pointer else {
            throw LibPQError(.connectionLost, "the connection is closed")
        }
        return unsafe connection
    }

    /// From here on, all there is to do with the connection is to throw `error`.
    func lose(_ error: LibPQError) {
        guard loss == nil else { return }
        loss = error
        if let source { loop.disarm(source) }
        source = nil
        link.close()
        exchange.resume()
        exchange.cancelWaiter.take()?.resume()
        activity.resumeAll()
    }

    /// The server or the network has ended the session. Finds out as much as is known and marks the connection as lost.
    func connectionLost() -> LibPQError {
        if let loss { return loss }
        let report = lastReport() ?? link.notices.lastFatal
        let error = LibPQError(
            .connectionLost,
            report?.sqlState == nil ? "the connection to the server was lost" : "the server ended the session",
            server: report)
        lose(error)
        return error
    }

    /// The error that arrived right before the end, if there is one.
    private func lastReport() -> ServerReport? {
        guard let connection = unsafe link.pointer else { return nil }
        var fatal: ServerReport?
        // Bounded, because a connection that is gone should not be able to keep anybody busy.
        for _ in 0..<64 {
            guard unsafe PQisBusy(connection) == 0, let result = unsafe PQgetResult(connection) else { break }
            let handle = unsafe ResultHandle(owning: result)
            guard handle.status == PGRES_FATAL_ERROR else { continue }
            let report = unsafe ServerReport(result: handle.pointer)
            if report.isFatal { fatal = report }
        }
        return fatal
    }
}
