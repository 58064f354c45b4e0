import Logging
import OutboxRuntime

/// Runs the transports of a relay beside its sessions: they begin before, and are closed after the last delivery.
struct TransportRun {
    let transports: [any Transport]
    let logger: Logger

    /// How long taking leave may take. Nothing is on its way any more.
    private static let closingTime = Duration.seconds(5)

    private enum End: Sendable {
        case sessions
        case transport(any Transport)
        case aside
    }

    /// Runs the transports as long as `sessions` takes.
    ///
    /// - Throws: What `sessions` throws; ``RelayError`` for a transport that ends.
    func callAsFunction(_ sessions: @escaping @Sendable () async throws -> Void) async throws {
        if self.transports.isEmpty { return try await sessions() }
        try await withThrowingTaskGroup(of: End.self) { group in
            for transport in self.transports {
                group.addTask {
                    do {
                        try await transport.run()
                    } catch {
                        throw Self.explained(error, of: transport)
                    }
                    return .transport(transport)
                }
                group.addTask {
                    await self.lookForContact(of: transport)
                    return .aside
                }
            }
            group.addTask {
                try await sessions()
                return .sessions
            }
            defer { group.cancelAll() }
            while let end = try await group.next() {
                switch end {
                case .aside: continue
                case .transport(let transport):
                    throw RelayError(.transportEnded, "The transport \(transport) ended while it was needed.")
                case .sessions: return await self.close()
                }
            }
        }
    }

    /// Why a transport has ended, for the relay that ends with it.
    private static func explained(_ error: any Error, of transport: any Transport) -> RelayError {
        switch error {
        case let error as RelayError: error
        case let error as TransportConfigurationError: RelayError(.configuration, error.description, underlying: error)
        default: RelayError(.transportEnded, "The transport \(transport) failed: \(error)", underlying: error)
        }
    }

    /// Says what is wrong with a transport before a message has to find out; where it says that itself, here it is a detail.
    private func lookForContact(of transport: any Transport) async {
        guard let reason = await transport.contact().reason, !Task.isCancelled else { return }
        self.logger.log(
            level: transport.logsItsContact ? .debug : .warning,
            "A transport has no contact yet; it goes on trying",
            metadata: [LogKey.transport: "\(transport)", LogKey.error: "\(reason)"])
    }

    private func close() async {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await withDiscardingTaskGroup { group in
                    for transport in self.transports { group.addTask { await transport.close() } }
                }
                return true
            }
            group.addTask {
                try? await Task.sleep(for: Self.closingTime)
                return false
            }
            if await group.next() == false, !Task.isCancelled {
                self.logger.warning("A transport took too long to close; it is cut off")
            }
            group.cancelAll()
        }
    }
}
