import OutboxRuntime
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct AnswerTests {
    @Test func givenBeforeOrAfterItIsWaitedFor() async throws {
        let early = Answer<Int>()
        early.give(.success(1))
        early.give(.success(2))
        #expect(early.isOver)
        #expect(try await early.wait() == 1)
        let late = Answer<Int>()
        async let value = late.wait()
        await Task.yield()
        #expect(!late.isOver)
        late.give(.success(3))
        #expect(try await value == 3)
        late.give(.success(4))
    }

    @Test func aTaskThatIsCancelledDoesNotWait() async throws {
        let answer = Answer<Int>()
        let task = Task { try await answer.wait() }
        await Task.yield()
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(answer.isOver)
        answer.give(.success(1))
    }

    /// Given by a thread while the task is cancelled: one of both, once.
    @Test func oneOfTwoAnswersWins() async throws {
        for _ in 0..<200 {
            let answer = Answer<Int>()
            let task = Task { try await answer.wait() }
            #expect(DedicatedThread.start { answer.give(.success(1)) })
            task.cancel()
            switch await task.result {
            case .success(let value): #expect(value == 1)
            case .failure(let error): #expect(error is CancellationError)
            }
        }
    }
}
