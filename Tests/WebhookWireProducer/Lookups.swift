import OutboxHTTP

/// Requests of one client, one after the other, which looks the host's name up for each connection. What each has for an answer is written to
/// standard output, a line a request.
enum Lookups {
    static func send(to url: String, count: Int) async throws {
        var configuration = HTTPConfiguration()
        configuration.addresses = .publicOnly()
        configuration.addressLifetime = .zero
        let client = try HTTPClient(configuration)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await client.run() }
            for _ in 0..<count {
                do {
                    print(try await client.send(HTTPRequest("POST", url, body: [1])).status)
                } catch let failure as HTTPFailure {
                    print("\(failure.kind): \(failure)")
                }
            }
            await client.close()
            try await group.waitForAll()
        }
    }
}
