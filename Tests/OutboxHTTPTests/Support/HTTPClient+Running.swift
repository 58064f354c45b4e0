import OutboxHTTP

extension HTTPConfiguration {
    /// One that waits for longer than a busy machine takes for anything.
    static var patient: HTTPConfiguration {
        var configuration = HTTPConfiguration()
        configuration.timeout = .seconds(86_400)
        configuration.idleTimeout = .seconds(86_400)
        return configuration
    }
}

/// Runs a closure with a client that runs, and closes it.
func withClient<Result: Sendable>(
    _ client: HTTPClient, _ body: @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await client.run() }
        defer { group.cancelAll() }
        let result = try await body()
        await client.close()
        try await group.waitForAll()
        return result
    }
}
