import Synchronization
import Testing

@testable import OutboxPostgres

@Suite(.timeLimit(.minutes(5))) struct SocketLoopTests {
    private actor Counter {
        let loop: SocketLoop
        var count = 0

        nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

        init(_ loop: SocketLoop) {
            self.loop = loop
        }

        func add() -> Bool {
            count += 1
            return loop.isCurrent
        }
    }

    @Test func runsEveryJobOnItsThread() async {
        let loop = SocketLoop()
        let counter = Counter(loop)
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<5000 { group.addTask { await counter.add() } }
            for await isOnThread in group { #expect(isOnThread) }
        }
        #expect(await counter.count == 5000)
        #expect(!loop.isCurrent)
    }

    @Test func callsAreInOrder() async {
        let loop = SocketLoop()
        let received = Received()
        for number in 0..<1000 { loop.execute { received.numbers.withLock { $0.append(number) } } }
        await withCheckedContinuation { continuation in loop.execute { continuation.resume() } }
        #expect(received.numbers.withLock { $0 } == Array(0..<1000))
    }

    private final class Received: Sendable {
        let numbers = Mutex<[Int]>([])
    }

    @Test func isolationIsChecked() async {
        let loop = SocketLoop()
        let counter = Counter(loop)
        await withCheckedContinuation { continuation in
            loop.execute {
                counter.assumeIsolated { $0.count = 7 }
                continuation.resume()
            }
        }
        #expect(await counter.count == 7)
        #expect(loop.isIsolatingCurrentContext() == false)
    }

    @Test func timeoutsAreRoundedUp() {
        #expect(SocketLoop.timeout(until: nil) == -1)
        #expect(SocketLoop.timeout(until: .now - .seconds(1)) == 0)
        #expect(SocketLoop.timeout(until: .now + .seconds(100_000_000)) > 0)
        #expect((1...1000).contains(SocketLoop.timeout(until: .now + .seconds(1))))
    }

    @Test func aLoopOfItsOwn() async throws {
        let loop = SocketLoop()
        let connection = try await LibPQConnection.connect(testPostgres(), loop: loop)
        #expect(connection.loop === loop)
        #expect(try await connection.value("SELECT 1") == 1)
    }

    @Test func theThreadEndsAndBeginsWithTheWork() async throws {
        let loop = SocketLoop(linger: .milliseconds(1))
        #expect(!loop.hasThread)
        for _ in 0..<3 {
            let counter = Counter(loop)
            #expect(await counter.add())
            while loop.hasThread { await Task.yield() }
        }
    }

    /// What is given while the thread ends is done by the next.
    @Test func nothingIsLostWhileItEnds() async {
        let loop = SocketLoop(linger: .zero)
        let counter = Counter(loop)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask { for _ in 0..<2000 { #expect(await counter.add()) } }
            }
        }
        #expect(await counter.count == 8000)
    }

    @Test func aLoopThatIsGivenUpIsFreed() async throws {
        weak var freed: SocketLoop?
        do {
            let loop = SocketLoop(linger: .milliseconds(1))
            freed = loop
            let connection = try await LibPQConnection.connect(testPostgres(), loop: loop)
            #expect(try await connection.value("SELECT 1") == 1)
            await connection.close()
        }
        while freed != nil { await Task.yield() }
    }
}
