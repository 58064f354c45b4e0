internal import CLibPQ
internal import Logging
internal import Outbox
import OutboxRuntime
internal import Synchronization

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Establishes a connection on a thread of its own.
///
/// `PQconnectPoll` does not block on sockets, but it does on name servers, on files (certificates, passwords) and on the processor
/// (key derivation), so neither a socket loop nor the cooperative pool is the place for it.
final class ConnectAttempt: Sendable {
    /// The link on its way from the thread that connected.
    // Sendable because the task that takes the link out is its only owner.
    final class Parcel: @unchecked Sendable {
        private let link: Mutex<ServerLink?>

        init(_ link: consuming sending ServerLink) {
            self.link = Mutex(link)
        }

        func take() -> ServerLink? {
            link.withLock { $0.take() }
        }
    }

    private enum State {
        case initial
        case waiting(CheckedContinuation<Result<Parcel, LibPQError>, Never>)
        case finished
    }

    /// What was asked for, without defaults.
    private let requested: [String: String]
    private let logger: Logger
    private let state = Mutex(State.initial)
    /// Tells the thread that no task waits any more.
    private let abandoned: WakePipe

    private init(requested: [String: String], logger: Logger) throws(LibPQError) {
        guard let pipe = WakePipe() else {
            throw LibPQError(.connect, "the process has no file descriptor left")
        }
        self.requested = requested
        self.logger = logger
        abandoned = pipe
    }

    static func run(_ configuration: LibPQConfiguration, logger: Logger) async throws(LibPQError) -> Parcel {
        var requested = try configuration.requested()
        if let source = configuration.password { requested["password"] = try await source.password() }
        let attempt = try ConnectAttempt(requested: requested, logger: logger)
        return try await attempt.run()
    }

    private func run() async throws(LibPQError) -> Parcel {
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isAbandoned = state.withLock { state in
                    if case .finished = state { return true }
                    state = .waiting(continuation)
                    return false
                }
                guard !isAbandoned else {
                    return continuation.resume(returning: .failure(Self.cancelled))
                }
                if !DedicatedThread.start({ self.finish(self.connect()) }) {
                    finish(.failure(LibPQError(.connect, "the process has no thread left")))
                }
            }
        } onCancel: {
            finish(.failure(Self.cancelled))
            abandoned.signal()
        }
        return try outcome.get()
    }

    /// A link that comes too late is closed with its parcel.
    private func finish(_ outcome: Result<Parcel, LibPQError>) {
        let continuation: CheckedContinuation<Result<Parcel, LibPQError>, Never>? = state.withLock { state in
            defer { state = .finished }
            if case .waiting(let continuation) = state { return continuation }
            return nil
        }
        continuation?.resume(returning: outcome)
    }

    private static var cancelled: LibPQError { LibPQError(.cancelled, "the task was cancelled while connecting") }
}

// MARK: On the thread

extension ConnectAttempt {
    private func connect() -> Result<Parcel, LibPQError> {
        do throws(LibPQError) {
            let parameters = EffectiveParameters(requested)
            var link = try start(parameters.resolved)
            try complete(&link, timeout: parameters.connectTimeout)
            return .success(Parcel(link))
        } catch {
            return .failure(error)
        }
    }

    private func start(_ parameters: [String: String]) throws(LibPQError) -> ServerLink {
        let names = CStringArray(parameters.keys)
        let values = CStringArray(parameters.values)
        guard let connection = unsafe PQconnectStartParams(names.pointer, values.pointer, 0) else {
            throw LibPQError(.connect, "libpq is out of memory")
        }
        let link = unsafe ServerLink(owning: connection, notices: NoticeReceiver(logger: logger))
        // While connecting, this is the only way to learn the SQLSTATE.
        unsafe PQsetErrorVerbosity(connection, PQERRORS_VERBOSE)
        return link
    }

    /// - Parameter timeout: For name service, TLS or GSS, and login on all hosts together.
    private func complete(_ link: inout ServerLink, timeout: Duration?) throws(LibPQError) {
        let connection = unsafe link.pointer!
        let deadline = timeout.map { ContinuousClock.now + $0 }
        var status = unsafe PQstatus(connection) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING
        while status != PGRES_POLLING_OK {
            guard status != PGRES_POLLING_FAILED else {
                throw unsafe LibPQError(connectFailure: String(cString: PQerrorMessage(connection)))
            }
            try unsafe wait(for: PQsocket(connection), toWrite: status == PGRES_POLLING_WRITING, until: deadline)
            status = unsafe PQconnectPoll(connection)
        }
        unsafe PQsetErrorVerbosity(connection, PQERRORS_DEFAULT)
        guard unsafe PQsetnonblocking(connection, 1) == 0 else {
            throw LibPQError(.connect, "the connection cannot be made non-blocking")
        }
    }

    private func wait(
        for socket: CInt, toWrite: Bool, until deadline: ContinuousClock.Instant?
    ) throws(LibPQError) {
        var descriptors = [
            pollfd(fd: socket, events: Int16(toWrite ? POLLOUT : POLLIN), revents: 0),
            pollfd(fd: abandoned.readDescriptor, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            let timeout = SocketLoop.timeout(until: deadline)
            let ready = unsafe poll(&descriptors, 2, timeout)
            if descriptors[1].revents != 0 { throw Self.cancelled }
            if ready > 0 { return }
            if ready == 0, let deadline, deadline <= .now {
                throw LibPQError(
                    .timeout,
                    "no connection within connect_timeout; check host and port, and whether a firewall is in between")
            }
        }
    }
}
