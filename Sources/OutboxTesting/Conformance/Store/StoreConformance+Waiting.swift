import Outbox

extension StoreConformance {
    static let waitingChecks: [Check] = [
        Check("a read returns at its deadline, not before") { fixture in
            try await CheckedSession.with(fixture) { session in
                let request = try Self.request(session)
                for requests in [[request], []] {
                    let deadline = ContinuousClock.now + Self.pause
                    let result = try await session.read(requests, until: deadline)
                    try require(result.pages.isEmpty, "messages were read from an empty store")
                    try require(ContinuousClock.now >= deadline, "a read with nothing to read came back too early")
                }
            }
        },

        Check("a read without requests only waits") { fixture in
            try await CheckedSession.with(fixture) { session in
                _ = try await fixture.enqueue(.numbered(1))
                let deadline = ContinuousClock.now + .milliseconds(20)
                let pages = try await session.read([], until: deadline).pages
                try require(pages.isEmpty, "nothing was asked for, but \(pages.ids) were read")
                _ = try await session.receive(1)
            }
        },

        Check("a wake that came before makes a read return") { fixture in
            try await CheckedSession.with(fixture) { session in
                let request = try Self.request(session)
                for _ in 0..<20 {
                    let deadline = session.limit
                    session.session.wake()
                    _ = try await session.read([request], until: deadline)
                    try require(ContinuousClock.now < deadline, "a read was woken before and came back at its deadline")
                }
            }
        },

        Check("a wake makes a waiting read return") { fixture in
            try await CheckedSession.with(fixture) { session in
                let request = try Self.request(session)
                for round in 0..<200 {
                    let deadline = session.limit
                    async let read = session.read(round.isMultiple(of: 2) ? [request] : [], until: deadline)
                    // Now before, now while it waits.
                    for _ in 0..<round % 20 { await Task.yield() }
                    session.session.wake()
                    _ = try await read
                    try require(ContinuousClock.now < deadline, "a read was woken and came back at its deadline")
                }
            }
        },

        Check("a wake is used up by the read that it ends") { fixture in
            try await CheckedSession.with(fixture) { session in
                session.session.wake()
                _ = try await session.read([], until: session.limit)
                let deadline = ContinuousClock.now + Self.pause
                _ = try await session.read([], until: deadline)
                try require(ContinuousClock.now >= deadline, "one wake has ended two reads")
            }
        },

        Check("a read returns promptly when its task is cancelled") { fixture in
            try await CheckedSession.with(fixture) { session in
                let request = try Self.request(session)
                let deadline = session.limit
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { _ = try? await session.read([request], until: deadline) }
                    await Task.yield()
                    group.cancelAll()
                }
                try require(ContinuousClock.now < deadline, "a cancelled read waited until its deadline")
            }
        },

        Check("a commit while a read falls asleep wakes it") { fixture in
            try await CheckedSession.with(fixture) { session in
                let request = try Self.request(session)
                for round in 0..<fixture.rounds {
                    let deadline = session.limit
                    // The first read finds nothing, so that the next one is about to sleep.
                    if round.isMultiple(of: 3) { _ = try await session.read([request], until: .now) }
                    async let enqueued = Self.afterAWhile(round) { try await fixture.enqueue(.numbered(1)) }
                    let page = try await Self.firstPage(session, request, deadline, round: round)
                    try require(page.ids, equals: try await enqueued, "the message of round \(round)")
                    if round % 100 == 99 { try await session.settle(through: page) }
                }
            }
        },

        Check("the commit of an open transaction while a read falls asleep wakes it") { fixture in
            try await CheckedSession.with(fixture) { session in
                let request = try Self.request(session)
                for round in 0..<fixture.rounds / 4 {
                    let transaction = try await fixture.begin()
                    let ids = try await transaction.enqueue(.numbered(1))
                    let deadline = session.limit
                    async let commit: Void = Self.afterAWhile(round) { try await transaction.commit() }
                    let page = try await Self.firstPage(session, request, deadline, round: round)
                    try await commit
                    try require(page.ids, equals: ids, "the message of round \(round)")
                    if round % 100 == 99 { try await session.settle(through: page) }
                }
            }
        },
    ]

    /// Long enough for a read that returns too early to be noticed on a machine that is busy.
    private static let pause = Duration.milliseconds(200)

    private static func request(_ session: CheckedSession) throws -> ReadRequest {
        ReadRequest(stream: try session.stream(.orders), messages: 100, bytes: 1 << 20, deferred: false)
    }

    /// Runs a closure at another point of a read's way to sleep in each round, and in some when it sleeps for sure.
    @concurrent
    private static func afterAWhile<Result>(
        _ round: Int, _ body: @Sendable () async throws -> Result
    ) async throws -> Result {
        if round % 10 == 9 {
            try await Task.sleep(for: .milliseconds(1 + round / 10 % 4))
        } else {
            for _ in 0..<round % 17 { await Task.yield() }
        }
        return try await body()
    }

    /// Reads once or more until a page comes.
    private static func firstPage(
        _ session: CheckedSession, _ request: ReadRequest, _ deadline: ContinuousClock.Instant, round: Int
    ) async throws -> any MessagePage {
        while true {
            if let page = try await session.read([request], until: deadline).pages.first { return page }
            try require(
                deadline > .now, "round \(round): a message was committed, but the read slept until its deadline")
        }
    }
}
