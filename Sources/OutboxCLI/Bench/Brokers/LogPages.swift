import Outbox
import OutboxPostgres

/// Reads all that waits into memory, as a relay gets it.
struct LogPages {
    private let outbox: BenchOutbox
    private let page: RelayConfiguration.Page

    init(_ outbox: BenchOutbox, page: RelayConfiguration.Page) {
        self.outbox = outbox
        self.page = page
    }

    /// The pages, each divided among lanes as a relay does, lane by lane.
    func batches(lanes: Int) async throws -> [[MessageBatch]] {
        let store = PostgresStore(postgres: self.outbox.postgres, schema: self.outbox.schema)
        let session = try await store.openSession(subscription: "bench pages", logger: .quiet)
        return try await withCleanUp {
            let pages = try await self.read(session)
            return (0..<lanes).map { lane in
                pages.compactMap { page in
                    let rows = (0..<page.count).filter { page.slot(at: $0) % lanes == lane }
                    return rows.isEmpty ? nil : MessageBatch(rows.map { Message(page: page, row: $0) })
                }
            }
        } cleanUp: {
            await session.close()
        }
    }

    private func read(_ session: any RelaySession) async throws -> [any MessagePage] {
        guard try await session.acquire() else {
            throw CommandFailure(.failure, "another relay reads what was enqueued")
        }
        let streams = try await session.attach([BenchOutbox.destination])
        var pages: [any MessagePage] = []
        while true {
            let requests = streams.map { stream in
                ReadRequest(stream: stream.id, messages: self.page.messages, bytes: self.page.bytes, deferred: false)
            }
            let result = try await session.read(requests, until: .now)
            if result.pages.isEmpty { return pages }
            pages += result.pages
        }
    }
}
