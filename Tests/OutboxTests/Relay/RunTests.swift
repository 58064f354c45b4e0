import Logging
import OutboxRuntime
import Synchronization
import TestSupport
import Testing

@testable import Outbox
@testable import OutboxTesting

/// How often relays and their workers run.
@Suite(.timeLimit(.minutes(5))) struct RunTests {
    private struct Broken: RelayStore {
        func openSession(subscription: String, logger: Logger) async throws -> any RelaySession {
            throw RelayError(.refused, "broken")
        }
    }

    @Test func aRelayThatHasRunSaysSo() async throws {
        let outbox = InMemoryOutbox()
        try outbox.enqueue(NewMessage(to: "d", text: "x"))
        let stopped = RelayUnderTest.make(outbox, ["d": .handler { _ in }])
        try await RelayUnderTest.run(stopped) { event in
            if case .delivered = event { .gracefully } else { nil }
        }
        let failed = RelayUnderTest.make(Broken(), ["d": .handler { _ in }])
        await #expect { try await failed.run() } throws: { "\($0)" == "broken" }
        for relay in [stopped, failed] {
            await #expect { try await relay.run() } throws: { error in
                (error as? RelayError)?.code == .alreadyRun && "\(error)".contains("runs once")
            }
        }
    }

    /// Workers are started as they are needed: none where nothing is, one for what comes one by one, all for what takes long.
    @Test func workersAreStartedOnDemand() async throws {
        let settled = AsyncStream.makeStream(of: Int.self)
        let gate = Latch()
        let calls = Calls()
        let dispatcher = Dispatcher(
            handler: .handler(concurrency: 8) { message in
                calls.begin(message)
                defer { calls.end() }
                if message.payload.isEmpty { return }
                if calls.ids.count == 10 + 8 { gate.open() }
                try await gate.pass()
            }, deferredKeys: [:], observer: .unobserved("d")
        ) { ticket in
            settled.continuation.yield(ticket.sequence)
        } onParkedEnd: { _ in
        } onChange: {
        }
        func submit(_ sequence: Int, _ texts: [String]) {
            let messages = MessageBatch(texts.map { NewMessage(to: "d", text: $0) })
            dispatcher.submit(PageTicket(page: messages[0].page, sequence: sequence, lanes: 8))
        }
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask { await dispatcher.run() }
            var settlements = settled.stream.makeAsyncIterator()
            #expect(dispatcher.workerCount == 0)
            for sequence in 0..<10 {
                submit(sequence, [""])
                #expect(await settlements.next() == sequence)
                // It has settled the message before it asks for more, and a message in between starts another worker.
                try await eventually("it waits") { dispatcher.waitingWorkerCount == dispatcher.workerCount }
            }
            #expect(dispatcher.workerCount == 1)
            // Without a key they are spread over the lanes by their ids: enough of them for each.
            submit(10, Array(repeating: "slow", count: 200))
            #expect(await settlements.next() == 10)
            #expect(dispatcher.workerCount == 8 && calls.most == 8)
            dispatcher.close()
        }
    }
}
