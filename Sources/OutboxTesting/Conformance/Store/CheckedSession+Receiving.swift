import Outbox

extension CheckedSession {
    // MARK: - The log

    /// Reads until that many messages of the log have come.
    ///
    /// - Throws: If they do not come, or more come.
    func receive(
        _ count: Int, of destination: Destination = .orders, messages: Int = 1000, bytes: Int = 1 << 30
    ) async throws -> [any MessagePage] {
        let request = ReadRequest(
            stream: try self.stream(destination), messages: messages, bytes: bytes, deferred: false)
        let limit = self.limit
        var pages: [any MessagePage] = []
        while pages.ids.count < count {
            try require(limit > .now, "\(count) messages were to be read, but only \(pages.ids) have come")
            pages += try await self.read([request], until: limit).pages
        }
        try require(pages.ids.count == count, "\(count) messages were to be read, but these have come: \(pages.ids)")
        try require(pages.allSatisfy { $0.origin == .log }, "a deferred message was read that was not asked for")
        return pages
    }

    /// Requires that there is nothing more to be read from the log.
    func receiveNothing(of destination: Destination = .orders, _ why: String) async throws {
        let request = ReadRequest(
            stream: try self.stream(destination), messages: 1000, bytes: 1 << 30, deferred: false)
        // Twice: a store may have looked only at a part of the log when a deadline is over.
        for _ in 0..<2 {
            let pages = try await self.read([request], until: .now).pages
            try require(pages.isEmpty, "\(why), but messages were read: \(pages.ids)")
        }
    }

    // MARK: - Deferred messages

    /// Looks once for deferred messages that are due.
    func pollDeferred(
        of destination: Destination = .orders, messages: Int = 0, excluding excluded: [Int64] = []
    ) async throws -> (rows: [DeferredRow], nextDue: Duration?) {
        let stream = try self.stream(destination)
        let request = ReadRequest(
            stream: stream, messages: messages, bytes: 1 << 30, deferred: true, excluding: excluded)
        let limit = self.limit
        while true {
            let result = try await self.read([request], until: .now)
            let pages = result.pages.filter { $0.origin == .deferred }
            try require(pages.count <= 1, "a read has brought \(pages.count) pages of deferred messages of one stream")
            // Another session's change may be reported before anything is read.
            if pages.isEmpty && result.nextDue.index(forKey: stream) == nil {
                try require(limit > .now, "deferred messages were asked for, but it is not said when the next is due")
                continue
            }
            let rows = pages.flatMap { page in (0..<page.count).map { DeferredRow(page: page, row: $0) } }
            return (rows, result.nextDue[stream] ?? nil)
        }
    }

    /// Reads until a deferred message is due.
    func receiveDeferred(of destination: Destination = .orders, messages: Int = 0) async throws -> [DeferredRow] {
        let limit = self.limit
        while true {
            let (rows, nextDue) = try await self.pollDeferred(of: destination, messages: messages)
            if !rows.isEmpty { return rows }
            try require(limit > .now, "a deferred message was to be read, but none is due; the next: \(nextDue as Any)")
            _ = try await self.read([], until: min(limit, .now + (nextDue ?? .milliseconds(10))))
        }
    }

    // MARK: - Settling

    /// Commits one settlement.
    func settle(
        _ destination: Destination = .orders, through page: (any MessagePage)? = nil,
        _ body: (inout Settlement) -> Void = { _ in }
    ) async throws {
        var settlement = Settlement(stream: try self.stream(destination))
        settlement.through = page
        body(&settlement)
        try await self.commit([settlement])
    }

    /// Enqueues messages, reads them and defers all.
    ///
    /// - Returns: Their ids.
    func enqueueDeferred(
        _ fixture: any StoreFixture, _ messages: [NewMessage], _ deferral: (Int, Int64) -> Deferral
    ) async throws -> [Int64] {
        let ids = try await fixture.enqueue(messages)
        let pages = try await self.receive(ids.count)
        try await self.settle(through: pages.last) { settlement in
            settlement.deferred = ids.enumerated().map { deferral($0.offset, $0.element) }
            settlement.keys = messages.compactMap(\.key)
        }
        return ids
    }
}

/// One deferred message as it was read.
struct DeferredRow {
    let page: any MessagePage
    let row: Int

    var id: Int64 { self.page.id(at: self.row) }
    var attempts: Int { self.page.attempts(at: self.row) }
    var isHeld: Bool { self.page.isHeld(at: self.row) }
    var isOrdered: Bool { self.page.isOrdered(at: self.row) }
}
