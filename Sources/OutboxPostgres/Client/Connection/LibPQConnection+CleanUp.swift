internal import Synchronization

extension LibPQConnection {
    @TaskLocal static var copying: Set<ObjectIdentifier> = []

    /// Whether an earlier user has left something.
    var hasToCleanUp: Bool {
        abandonedTransaction.load(ordering: .acquiring) != 0 || !activity.abandonedChannels.isEmpty
    }

    /// Cleans up after earlier users of the connection: rolls back a transaction that was dropped while open, and stops listening on
    /// channels without a listener. Called with the turn.
    func cleanUp() async throws(LibPQError) {
        guard hasToCleanUp else { return }
        let abandoned = abandonedTransaction.load(ordering: .acquiring)
        // Not for the one whose turn it is to be interrupted; it takes one round trip.
        let wasShielded = exchange.isShielded
        exchange.isShielded = true
        defer { exchange.isShielded = wasShielded }

        if abandoned != 0 {
            abandonedTransaction.store(0, ordering: .releasing)
            if abandoned == currentTransaction {
                currentTransaction = nil
                do throws(LibPQError) {
                    _ = try await run(["ROLLBACK"], isPipeline: false)
                } catch {
                    // Whatever came next would be part of a transaction that has no owner.
                    lose(
                        LibPQError(
                            .connectionLost, "a transaction that was left open could not be rolled back; the connection was given up",
                            underlying: error))
                    throw loss ?? error
                }
            }
        }
        guard transactionStatus == .idle else { return }
        let unlisten = activity.takeAbandonedChannels().map {
            LibPQStatement("UNLISTEN \(unescaped: SQLIdentifier($0).quoted)")
        }
        if !unlisten.isEmpty { _ = try await run(unlisten, isPipeline: true) }
    }
}
