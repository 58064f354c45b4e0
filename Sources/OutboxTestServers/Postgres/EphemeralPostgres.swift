import Foundation
import Synchronization

/// A separate Postgres server, for the time of a test or a demonstration.
///
/// It lives in a fresh temporary folder and is reached through a unix socket in that folder. Stopping it removes
/// everything; so does the end of this process, however that comes about, because the server runs under a small shell that
/// notices when its parent is gone.
///
/// ```swift
/// try await EphemeralPostgres.with { server in
///     print(server.url)
/// }
/// ```
///
/// A process that is root runs the server as the user `postgres`.
public final class EphemeralPostgres: Sendable {
    /// The folder that holds the server's socket, data and log.
    package let folder: String
    /// The number in the socket's name, and the TCP port when `network` asks for one.
    package let port: Int
    /// A connection string for the superuser, through the unix socket; libpq understands it.
    public let url: String
    /// A connection string for the superuser, through TCP; `nil` when the network is ``Network/none``.
    public let tcpURL: String?
    /// The folder of the programs that came with the server, such as `psql` and `pg_dump`.
    package let programs: String

    private let supervisor: ServerSupervisor
    private let startLimit: Duration
    private let currentProcessID: Mutex<Int32?>

    /// The server's process; `nil` while it does not run.
    package var processID: Int32? { currentProcessID.withLock { $0 } }

    private init(
        supervisor: ServerSupervisor, folder: String, port: Int, processID: Int32, programs: String,
        settings: Settings
    ) {
        self.supervisor = supervisor
        self.folder = folder
        self.port = port
        self.programs = programs
        self.startLimit = settings.startLimit
        // Everything is encoded, slashes too: one in a password would end the address.
        url = "postgresql:///postgres?host=\(Self.percentEncoded(folder))&port=\(port)&user=postgres"
        let password = settings.password.map { ":\(Self.percentEncoded($0))" } ?? ""
        tcpURL = settings.listensOnLoopback ? "postgresql://postgres\(password)@127.0.0.1:\(port)/postgres" : nil
        currentProcessID = Mutex(processID)
    }

    /// Makes and starts a server; it accepts connections when this returns, typically within a second.
    ///
    /// Keep the result: the server stops when the last reference to it is gone.
    ///
    /// - Throws: ``EphemeralServerError`` when no server is installed, the settings cannot be used, or it does not start.
    public static func start(_ settings: Settings = Settings()) async throws(EphemeralServerError)
        -> EphemeralPostgres
    {
        try settings.validate()
        let environment = ProcessInfo.processInfo.environment
        let programs = try PostgresPrograms.folder(explicit: settings.binaries, environment: environment)
        let supervisor = try ServerSupervisor(
            .postgres, environment: supervisorEnvironment(settings, programs: programs, inherited: environment))
        do {
            let folder = try await supervisor.send(settings.password ?? "")
            let (port, processID) = try await firstStart(supervisor, folder: folder, settings: settings)
            return EphemeralPostgres(
                supervisor: supervisor, folder: folder, port: port, processID: processID, programs: programs,
                settings: settings)
        } catch {
            await supervisor.close()
            throw error
        }
    }

    /// Runs `body` with a server that is stopped when `body` returns or throws.
    ///
    /// - Throws: ``EphemeralServerError`` when the server does not start; whatever `body` throws.
    public static func with<Result>(
        _ settings: Settings = Settings(),
        _ body: (EphemeralPostgres) async throws -> sending Result
    ) async throws -> sending Result {
        let server = try await start(settings)
        do {
            let result = try await body(server)
            await server.stop()
            return result
        } catch {
            await server.stop()
            throw error
        }
    }

    /// Stops the server for good and removes its folder. Calling it again does nothing.
    public func stop() async {
        await supervisor.close()
        currentProcessID.withLock { $0 = nil }
    }

    /// Shuts the server down and starts it again on the same data and the same port.
    ///
    /// - Throws: ``EphemeralServerError`` when it does not start, or was stopped for good.
    public func restart() async throws(EphemeralServerError) {
        try await self.restart(.fast)
    }

    /// The same, shut down in that way.
    package func restart(_ mode: ShutdownMode) async throws(EphemeralServerError) {
        _ = try await supervisor.send("stop \(mode.signal)")
        currentProcessID.withLock { $0 = nil }
        try await startAgain()
    }

    /// Crashes the server: all its processes end at once, without a word to their clients, as if the power had failed.
    ///
    /// ``startAgain()`` then recovers what had been committed.
    ///
    /// - Throws: ``EphemeralServerError`` when the server was stopped for good.
    public func kill() async throws(EphemeralServerError) {
        _ = try await supervisor.send("crash")
        currentProcessID.withLock { $0 = nil }
    }

    /// Starts the server after ``kill()``, on the same data and the same port.
    ///
    /// - Throws: ``EphemeralServerError`` when it runs already, does not start, or was stopped for good.
    public func startAgain() async throws(EphemeralServerError) {
        let processID: Int32
        do {
            processID = try await Self.launch(supervisor, port: port, limit: startLimit)
        } catch {
            throw Self.explained(error, folder: folder)
        }
        currentProcessID.withLock { $0 = processID }
    }

    /// What the server has logged so far; empty after ``stop()``.
    public func log() -> String {
        Self.log(folder: folder)
    }
}

extension EphemeralPostgres {
    private static func log(folder: String) -> String {
        guard let bytes = FileManager.default.contents(atPath: "\(folder)/log") else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func launch(
        _ supervisor: ServerSupervisor, port: Int, limit: Duration
    ) async throws(EphemeralServerError) -> Int32 {
        let reply = try await supervisor.send("start \(port) \(limit.components.seconds)")
        guard let processID = Int32(reply) else {
            throw EphemeralServerError(.startFailed, "The shell that runs the server gave no process number.")
        }
        return processID
    }

    /// A port that looks free can be taken before the server binds it, so the server itself is asked, and another port
    /// tried when it refuses.
    private static func firstStart(
        _ supervisor: ServerSupervisor, folder: String, settings: Settings
    ) async throws(EphemeralServerError) -> (port: Int, processID: Int32) {
        var attemptsLeft = settings.listensOnLoopback ? 20 : 1
        while true {
            // Below the ports that systems hand out to outgoing connections.
            let port = settings.listensOnLoopback ? Int.random(in: 20_000..<32_000) : 5432
            do {
                return (port, try await launch(supervisor, port: port, limit: settings.startLimit))
            } catch {
                attemptsLeft -= 1
                let explained = explained(error, folder: folder)
                guard attemptsLeft > 0, explained.detail.contains("could not bind") else { throw explained }
            }
        }
    }

    /// Adds the end of the server's log to a failed start.
    private static func explained(_ error: EphemeralServerError, folder: String) -> EphemeralServerError {
        var error = error
        if error.detail.isEmpty {
            error.detail = log(folder: folder).split(separator: "\n").suffix(20).joined(separator: "\n")
        }
        return error
    }

    /// The environment of the shell: this process's own without what would redirect the server's programs.
    package static func supervisorEnvironment(
        _ settings: Settings, programs: String, inherited: [String: String]
    ) -> [String: String] {
        var environment = inherited.filter { !$0.key.hasPrefix("PG") && !$0.key.hasPrefix("LC_") }
        // Otherwise initdb spends a tenth of its time finding out which zone this is.
        environment["TZ"] = "UTC"
        environment["OUTBOX_PG_BIN"] = programs
        environment["OUTBOX_SERVER_PARENT"] = parentFolder(inherited)
        environment["OUTBOX_SERVER_NAME"] = "outbox-postgres"
        #if os(Linux)
        environment["OUTBOX_PG_LOCALE"] = "C.UTF-8"
        #else
        environment["OUTBOX_PG_LOCALE"] = "C"
        #endif
        environment["OUTBOX_PG_AUTH"] = settings.password == nil ? "trust" : "scram-sha-256"
        environment["OUTBOX_PG_CONF"] = settings.configurationLines
        environment["OUTBOX_PG_PRIMARY"] = settings.primary?.url
        return environment
    }

    /// A socket's path has at most 103 bytes on macOS and 107 on Linux; ours adds 39 to this folder's.
    private static func parentFolder(_ environment: [String: String]) -> String {
        guard let folder = environment["TMPDIR"], !folder.isEmpty, folder.utf8.count <= 60 else { return "/tmp" }
        return folder.hasSuffix("/") && folder.utf8.count > 1 ? String(folder.dropLast()) : folder
    }

    private static func percentEncoded(_ text: String) -> String {
        text.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"):
                return String(UnicodeScalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                return digits.utf8.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        .joined()
    }
}

extension ServerSupervisor.Server {
    package static let postgres = ServerSupervisor.Server(
        script: PackageResources.postgres_sh, usersInsteadOfRoot: ["postgres", "nobody"])
}
