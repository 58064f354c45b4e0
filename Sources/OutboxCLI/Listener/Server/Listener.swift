import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import OutboxRuntime
import ServiceLifecycle

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Serves pages by HTTP.
struct Listener: Sendable {
    let address: ListenAddress
    let logger: Logger
    var limits: ListenerLimits
    /// Who asks.
    private let guests: String
    /// What those learn who reach an address that others than this machine reach.
    private let exposure: String
    private let start = Answer<ListenAddress>()
    private let hasListened = Latch()

    init(
        address: ListenAddress, logger: Logger, limits: ListenerLimits = ListenerLimits(),
        guests: String = "probes and scrapes",
        exposure: String = "All who reach the address see names of destinations, counts, and why a destination is down"
    ) {
        self.address = address
        self.logger = logger
        self.limits = limits
        self.guests = guests
        self.exposure = exposure
    }

    /// Waits until it listens. One task, once.
    ///
    /// - Returns: The address, with the port that was chosen where it is 0.
    /// - Throws: A ``CommandFailure`` where it cannot.
    @discardableResult
    func started() async throws -> ListenAddress { try await self.start.wait() }

    /// Serves until the task is cancelled; again, where the system ended it.
    func run(_ pages: ListenerPages) async {
        Self.takeOneThread
        while true {
            var reason: any Error = CancellationError()
            do {
                try await self.application(pages).run()
            } catch {
                reason = self.failure(error)
            }
            guard self.hasListened.isOpen, !Task.isCancelled else {
                return self.start.give(.failure(reason))
            }
            self.logger.error(
                "Listening for \(self.guests) has ended, and begins again",
                metadata: ["error": "\(reason)", "retry_after": "\(Self.pause.short)"])
            do { try await Task.sleep(for: Self.pause) } catch { return }
        }
    }

    private static let pause = Duration.seconds(5)

    private func application(_ pages: ListenerPages) -> some ApplicationProtocol {
        // What happens is of interest to the one who asks, not to the log of a relay.
        var logger = self.logger
        logger.logLevel = .critical
        let limits = self.limits
        return Application(
            responder: pages,
            server: .http1(
                configuration: HTTP1Channel.Configuration(
                    additionalChannelHandlers: [ConnectionDeadlineHandler(limits)],
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: limits.headerField, maxHeaderListSize: limits.headers,
                        maxHeaderFieldCount: limits.headerCount))),
            configuration: ApplicationConfiguration(
                address: .hostname(self.address.host, port: self.address.port),
                availableConnectionsDelegate: .maximum(limits.connections, logger: logger)),
            onServerRunning: { channel in self.listens(on: channel.localAddress) }, logger: logger)
    }

    /// One thread is enough for scrapes and probes. It can be said once in a process.
    private static let takeOneThread: Void = { NIOSingletons.groupLoopCountSuggestion = 1 }()

    private func listens(on local: SocketAddress?) {
        self.hasListened.open()
        let port = local?.port ?? self.address.port
        let address = ListenAddress(host: self.address.host, port: port)
        self.logger.info("Listening for \(self.guests)", metadata: ["address": "\(address)"])
        if !address.isLoopback {
            self.logger.notice("\(self.exposure)")
        }
        self.start.give(.success(address))
    }

    private func failure(_ error: any Error) -> any Error {
        guard let error = error as? IOError else {
            return CommandFailure(.unavailable, "--listen: no host is called “\(self.address.host)”")
        }
        switch error.errnoCode {
        case EADDRINUSE: return CommandFailure(.unavailable, "--listen: the address \(self.address) is in use")
        case EACCES: return CommandFailure(.noPermission, "--listen: this user may not listen on \(self.address)")
        case EADDRNOTAVAIL:
            return CommandFailure(.unavailable, "--listen: \(self.address) is no address of this machine")
        default: return CommandFailure(.unavailable, "--listen: \(self.address): \(error.description)")
        }
    }
}
