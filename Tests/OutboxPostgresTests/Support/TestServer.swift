import OutboxTestServers

/// The Postgres that all tests of this process share, started when the first of them asks for it.
///
/// Nothing stops it: it stops by itself when this process ends, whether that is an exit or a crash. Tests that crash or
/// restart a server start one of their own.
enum TestServer {
    /// The one stored task: a global starts once however many tests ask at the same moment, and no test's cancellation
    /// may take the server from the others.
    private static let start = Task {
        try await EphemeralPostgres.start(
            .init(parameters: [
                "max_connections": "1000", "max_prepared_transactions": "50",
                // It is on, and never comes: it would lock, shrink and analyse tables under the eyes of tests that look.
                "autovacuum_naptime": "20d",
            ]))
    }

    /// The running server.
    static var shared: EphemeralPostgres {
        get async throws { try await start.value }
    }
}
