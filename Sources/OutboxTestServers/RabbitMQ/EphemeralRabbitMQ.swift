import Foundation
import Synchronization

/// A separate RabbitMQ, for the time of a test or a demonstration.
///
/// It lives in a fresh temporary folder and listens on free ports of 127.0.0.1, with an epmd of its own. Stopping it removes
/// everything; so does the end of this process, however that comes about, because the broker runs under a small shell that
/// notices when its parent is gone.
///
/// ```swift
/// try await EphemeralRabbitMQ.with { broker in
///     print(broker.url)
/// }
/// ```
///
/// It takes from 4 to 20 seconds to start, so let tests share one where they can.
public final class EphemeralRabbitMQ: Sendable {
    /// The folder that holds the broker's data and log.
    package let folder: String
    /// The TCP port.
    public let port: Int
    /// The TCP port with TLS; nil without ``Settings/Encryption``.
    package let tlsPort: Int?
    /// The address: `amqp://guest:guest@127.0.0.1:PORT`.
    public var url: String { "amqp://guest:guest@127.0.0.1:\(self.port)" }
    /// The address with TLS: `amqps://guest:guest@localhost:PORT`; nil without ``Settings/Encryption``.
    package var tlsURL: String? { self.tlsPort.map { "amqps://guest:guest@localhost:\($0)" } }

    /// The files for TLS; nil without ``Settings/Encryption``.
    package var certificates: Certificates? { self.tlsPort.map { _ in Certificates(folder: self.folder) } }

    private let supervisor: ServerSupervisor
    private let programs: RabbitMQPrograms
    private let ports: Ports
    private let startLimit: Duration
    private let currentProcessID: Mutex<Int32?>

    /// The broker's process; nil while it does not run.
    package var processID: Int32? { self.currentProcessID.withLock { $0 } }

    private struct Ports {
        let amqp: Int
        let tls: Int
        let node: Int
        let epmd: Int

        /// Below the ports that systems hand out to outgoing connections.
        init() {
            var free = (20_000..<32_000).shuffled()[..<4]
            (self.amqp, self.tls) = (free.removeFirst(), free.removeFirst())
            (self.node, self.epmd) = (free.removeFirst(), free.removeFirst())
        }

        var word: String { "\(self.amqp),\(self.tls),\(self.node),\(self.epmd)" }
    }

    private init(
        supervisor: ServerSupervisor, programs: RabbitMQPrograms, folder: String, ports: Ports, processID: Int32,
        settings: Settings
    ) {
        self.supervisor = supervisor
        self.programs = programs
        self.folder = folder
        self.ports = ports
        self.port = ports.amqp
        self.tlsPort = settings.encryption.isOn ? ports.tls : nil
        self.startLimit = settings.startLimit
        self.currentProcessID = Mutex(processID)
    }

    /// Makes and starts a broker; it accepts connections when this returns.
    ///
    /// Keep the result: the broker stops when the last reference to it is gone.
    ///
    /// - Throws: ``EphemeralServerError`` when RabbitMQ is not installed, the settings cannot be used, or it does not start.
    public static func start(
        _ settings: Settings = Settings()
    ) async throws(EphemeralServerError) -> EphemeralRabbitMQ {
        try settings.validate()
        let environment = ProcessInfo.processInfo.environment
        let programs = try RabbitMQPrograms(environment: environment)
        let supervisor = try ServerSupervisor(
            .rabbitMQ, environment: self.supervisorEnvironment(settings, programs: programs, inherited: environment))
        do {
            let folder = try await supervisor.send("")
            let (ports, processID) = try await self.firstStart(supervisor, folder: folder, settings: settings)
            return EphemeralRabbitMQ(
                supervisor: supervisor, programs: programs, folder: folder, ports: ports, processID: processID,
                settings: settings)
        } catch {
            await supervisor.close()
            throw error
        }
    }

    /// Runs `body` with a broker that is stopped when `body` returns or throws.
    ///
    /// - Throws: ``EphemeralServerError`` when the broker does not start; whatever `body` throws.
    public static func with<Result>(
        _ settings: Settings = Settings(), _ body: (EphemeralRabbitMQ) async throws -> sending Result
    ) async throws -> sending Result {
        let broker = try await self.start(settings)
        do {
            let result = try await body(broker)
            await broker.stop()
            return result
        } catch {
            await broker.stop()
            throw error
        }
    }

    /// Stops the broker for good and removes its folder. Calling it again does nothing.
    public func stop() async {
        await self.supervisor.close()
        self.currentProcessID.withLock { $0 = nil }
    }

    /// Shuts the broker down and starts it again on the same data and the same ports.
    ///
    /// - Throws: ``EphemeralServerError`` when it does not start, or was stopped for good.
    public func restart() async throws(EphemeralServerError) {
        try await self.shutDown()
        try await self.startAgain()
    }

    /// Shuts the broker down; ``startAgain()`` starts it on the same data and the same ports.
    ///
    /// - Throws: ``EphemeralServerError`` when the broker was stopped for good.
    package func shutDown() async throws(EphemeralServerError) {
        _ = try await self.supervisor.send("stop TERM")
        self.currentProcessID.withLock { $0 = nil }
    }

    /// Crashes the broker: it ends at once, without a word to its clients, as if the power had failed.
    ///
    /// - Throws: ``EphemeralServerError`` when the broker was stopped for good.
    package func kill() async throws(EphemeralServerError) {
        _ = try await self.supervisor.send("crash")
        self.currentProcessID.withLock { $0 = nil }
    }

    /// Starts the broker after ``kill()``, on the same data and the same ports.
    ///
    /// - Throws: ``EphemeralServerError`` when it runs already, does not start, or was stopped for good.
    package func startAgain() async throws(EphemeralServerError) {
        let processID: Int32
        do {
            processID = try await Self.launch(self.supervisor, ports: self.ports, limit: self.startLimit)
        } catch {
            throw Self.explained(error, folder: self.folder)
        }
        self.currentProcessID.withLock { $0 = processID }
    }

    /// Runs `rabbitmqctl` against the broker, which takes about a second.
    ///
    /// - Returns: What it printed.
    /// - Throws: ``EphemeralServerError`` when it fails.
    @discardableResult
    public func rabbitmqctl(_ arguments: String...) async throws(EphemeralServerError) -> String {
        var environment = ProcessInfo.processInfo.environment
        environment["HOME"] = self.folder
        environment["RABBITMQ_NODENAME"] = "outbox@localhost"
        environment["RABBITMQ_CONF_ENV_FILE"] = "/dev/null"
        environment["ERL_EPMD_PORT"] = "\(self.ports.epmd)"
        return try await self.programs.run(self.programs.control, ["-q"] + arguments, environment: environment)
    }

    /// What the broker has logged since it was started; empty after ``stop()``.
    public func log() -> String { Self.log(folder: self.folder) }
}

extension EphemeralRabbitMQ {
    private static func log(folder: String) -> String {
        guard let bytes = FileManager.default.contents(atPath: "\(folder)/log") else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func launch(
        _ supervisor: ServerSupervisor, ports: Ports, limit: Duration
    ) async throws(EphemeralServerError) -> Int32 {
        let reply = try await supervisor.send("start \(ports.word) \(limit.components.seconds)")
        guard let processID = Int32(reply) else {
            throw EphemeralServerError(.startFailed, "The shell that runs the broker gave no process number.")
        }
        return processID
    }

    /// A port that looks free can be taken before the broker binds it, so the broker itself is asked, and others tried when
    /// it refuses.
    private static func firstStart(
        _ supervisor: ServerSupervisor, folder: String, settings: Settings
    ) async throws(EphemeralServerError) -> (ports: Ports, processID: Int32) {
        var attemptsLeft = 5
        while true {
            let ports = Ports()
            do {
                return (ports, try await self.launch(supervisor, ports: ports, limit: settings.startLimit))
            } catch {
                attemptsLeft -= 1
                let explained = self.explained(error, folder: folder)
                let isTaken = ["eaddrinuse", "in use"].contains { explained.detail.contains($0) }
                guard attemptsLeft > 0, isTaken else { throw explained }
            }
        }
    }

    /// Adds the end of the broker's log to a failed start.
    private static func explained(_ error: EphemeralServerError, folder: String) -> EphemeralServerError {
        var error = error
        if error.detail.isEmpty {
            error.detail = self.log(folder: folder).split(separator: "\n").suffix(30).joined(separator: "\n")
        }
        return error
    }

    /// The environment of the shell: this process's own without what would redirect the broker.
    package static func supervisorEnvironment(
        _ settings: Settings, programs: RabbitMQPrograms, inherited: [String: String]
    ) -> [String: String] {
        var environment = inherited.filter { !$0.key.hasPrefix("RABBITMQ_") && !$0.key.hasPrefix("ERL_") }
        environment["OUTBOX_SERVER_PARENT"] = inherited["TMPDIR"].flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
        environment["OUTBOX_SERVER_NAME"] = "outbox-rabbitmq"
        environment["OUTBOX_RABBITMQ_SERVER"] = programs.server
        environment["OUTBOX_RABBITMQ_CONF"] = settings.configurationLines
        environment["OUTBOX_RABBITMQ_TLS"] = settings.encryption.client
        environment["OUTBOX_RABBITMQ_PLUGINS"] = settings.plugins.joined(separator: ",")
        return environment
    }
}

extension ServerSupervisor.Server {
    package static let rabbitMQ = ServerSupervisor.Server(script: PackageResources.rabbitmq_sh, usersInsteadOfRoot: [])
}
