import OutboxRuntime
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct ThreadMailboxTests {
    /// A job whose answer is its number, or why it was let go.
    final class Job: MailboxJob {
        enum Ending: Hashable {
            case done(Int)
            case dropped(MailboxEnd)
        }

        let number: Int
        let answer = Answer<Ending>()

        init(_ number: Int) { self.number = number }

        func end(_ reason: MailboxEnd) { self.answer.give(.success(.dropped(reason))) }
    }

    typealias Mailbox = ThreadMailbox<Job, String>

    /// A thread that answers each job at once, or keeps all until it is told to close.
    struct Worker: Sendable {
        let mailbox = Mailbox(starting: "starting", ended: "ended")
        var keepsJobs = false

        func run() async throws {
            let (mailbox, keepsJobs) = (self.mailbox, self.keepsJobs)
            try await mailbox.run {
                mailbox.report("up")
                var jobs: [Job] = []
                while true {
                    let order = mailbox.take(into: &jobs)
                    if order == .cancel { break }
                    if !keepsJobs || order == .close {
                        for job in jobs { job.answer.give(.success(.done(job.number))) }
                        jobs.removeAll()
                    }
                    if order == .close { break }
                    Self.wait(mailbox, order)
                }
                mailbox.end()
            }
        }

        private static func wait(_ mailbox: Mailbox, _ order: Mailbox.Order) {
            mailbox.sleep(after: order) { descriptor, maySleep in
                if maySleep { DedicatedThread.wait(forInput: descriptor) }
                return (maySleep, ())
            }
        }

        /// Hands several over at once.
        func deliver(_ numbers: [Int]) async throws -> [Job.Ending] {
            let jobs = numbers.map { Job($0) }
            if let end = self.mailbox.post(jobs) { return jobs.map { _ in .dropped(end) } }
            defer { self.mailbox.remove(jobs) }
            var endings: [Job.Ending] = []
            for job in jobs { endings.append(try await job.answer.wait()) }
            return endings
        }

        func deliver(_ number: Int) async throws -> Job.Ending {
            let job = Job(number)
            if let end = self.mailbox.post(job) { return .dropped(end) }
            defer { self.mailbox.remove(job) }
            return try await job.answer.wait()
        }
    }

    @Test func jobsAreAnsweredAndTheStatusIsTold() async throws {
        let worker = Worker()
        async let early = worker.deliver(1)
        async let running: Void = worker.run()
        #expect(try await early == .done(1))
        #expect(await worker.mailbox.firstStatus() == "up")
        for number in 2...100 { #expect(try await worker.deliver(number) == .done(number)) }
        #expect(worker.mailbox.isIdle)
        await worker.mailbox.close()
        try await running
        #expect(worker.mailbox.status == "ended")
        #expect(try await worker.deliver(101) == .dropped(.closed))
    }

    @Test func severalAreHandedOverAtOnce() async throws {
        let worker = Worker()
        async let early = worker.deliver([1, 2, 3])
        async let running: Void = worker.run()
        #expect(try await early == [.done(1), .done(2), .done(3)])
        for number in 1...50 {
            let numbers = Array(number..<number + 5)
            #expect(try await worker.deliver(numbers) == numbers.map { .done($0) })
        }
        #expect(worker.mailbox.isIdle)
        await worker.mailbox.close()
        try await running
        #expect(try await worker.deliver([1, 2]) == [.dropped(.closed), .dropped(.closed)])
    }

    @Test func closingWaitsForWhatIsUnderWay() async throws {
        let worker = Worker(keepsJobs: true)
        async let running: Void = worker.run()
        async let one = worker.deliver(1)
        try await eventually("it is under way") { !worker.mailbox.isIdle }
        async let first: Void = worker.mailbox.close()
        async let second: Void = worker.mailbox.close()
        #expect(try await one == .done(1))
        await first
        await second
        try await running
    }

    @Test func itRunsOnce() async throws {
        let worker = Worker()
        async let running: Void = worker.run()
        #expect(try await worker.deliver(1) == .done(1))
        await #expect(throws: MailboxError.runsOnce) { try await worker.run() }
        #expect(try await worker.deliver(2) == .done(2))
        await worker.mailbox.close()
        try await running
        await #expect(throws: MailboxError.runsOnce) { try await worker.run() }
    }

    @Test func closedBeforeItRunsItDoesNothing() async throws {
        let worker = Worker()
        async let waiting = worker.deliver(1)
        try await eventually("it waits") { !worker.mailbox.isIdle }
        await worker.mailbox.close()
        #expect(try await waiting == .dropped(.closed))
        #expect(await worker.mailbox.firstStatus() == "ended")
        try await worker.run()
        await #expect(throws: MailboxError.runsOnce) { try await worker.run() }
    }

    @Test func cancellingLetsEverythingGo() async throws {
        let worker = Worker(keepsJobs: true)
        let running = Task { try await worker.run() }
        async let one = worker.deliver(1)
        try await eventually("it is under way") { !worker.mailbox.isIdle }
        running.cancel()
        #expect(try await one == .dropped(.cancelled))
        try await running.value
        #expect(worker.mailbox.status == "ended")
        #expect(try await worker.deliver(2) == .dropped(.cancelled))
        #expect(!worker.mailbox.report("up"))
        await worker.mailbox.close()
    }

    @Test func aTaskThatIsCancelledWaitsNoMore() async throws {
        let worker = Worker(keepsJobs: true)
        async let running: Void = worker.run()
        let delivery = Task { try await worker.deliver(1) }
        try await eventually("it is under way") { !worker.mailbox.isIdle }
        delivery.cancel()
        await #expect(throws: CancellationError.self) { try await delivery.value }
        #expect(worker.mailbox.isIdle)
        await worker.mailbox.close()
        try await running
    }

    /// A thread that is blocked in a call is interrupted, and waited for; one that cannot be is left behind.
    @Test(arguments: [true, false]) func whatACancelledRunWaitsFor(isInterruptible: Bool) async throws {
        let mailbox = Mailbox(starting: "starting", ended: "ended")
        let call = try #require(Self.makePipe())
        let hasEnded = Latch()
        var interruption: (@Sendable () -> Void)?
        if isInterruptible { interruption = { call.signal() } }
        let running = Task { [interruption] () async throws -> Void in
            try await mailbox.run {
                mailbox.interrupt(by: interruption)
                mailbox.report("up")
                DedicatedThread.wait(forInput: call.readDescriptor)
                mailbox.interrupt(by: nil)
                hasEnded.open()
                mailbox.end()
            }
        }
        #expect(await mailbox.firstStatus() == "up")
        running.cancel()
        try await running.value
        #expect(hasEnded.isOpen == isInterruptible)
        call.signal()
        await mailbox.close()
    }

    private final class Call: Sendable {
        private let pipe: WakePipe
        init(_ pipe: consuming WakePipe) { self.pipe = pipe }
        var readDescriptor: CInt { self.pipe.readDescriptor }
        func signal() { self.pipe.signal() }
        func drain() { self.pipe.drain() }
    }

    private static func makePipe() -> Call? {
        guard let pipe = WakePipe() else { return nil }
        return Call(pipe)
    }

    /// A library that waits by itself is woken by its own call, for orders and when a closing mailbox has lost a job.
    @Test func aThreadThatIsWokenByACallOfItsLibrary() async throws {
        let mailbox = Mailbox(starting: "starting", ended: "ended", usesPipe: false)
        let call = try #require(Self.makePipe())
        let job = Job(1)
        #expect(mailbox.add(job) == nil)
        let running = Task { () async throws -> Void in
            try await mailbox.run {
                mailbox.wake { call.signal() }
                mailbox.report("up")
                while mailbox.order == .work || !mailbox.isIdle {
                    DedicatedThread.wait(forInput: call.readDescriptor)
                    call.drain()
                }
                mailbox.wake(by: nil)
                mailbox.end()
            }
        }
        #expect(await mailbox.firstStatus() == "up")
        async let closing: Void = mailbox.close()
        try await eventually("the order has come") { mailbox.order == .close }
        mailbox.remove(job)
        await closing
        try await running.value
    }

    /// Whatever happens at the same time, every delivery ends, and so do runs and closings.
    @Test(arguments: 0..<200) func nothingIsForgotten(seed: Int) async throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let worker = Worker(keepsJobs: Bool.random(using: &random))
        let (cancels, closes) = (Bool.random(using: &random), Int.random(in: 1...3, using: &random))
        let steps = (0..<20).map { _ in Int.random(in: 0...5, using: &random) }
        let begins = Int.random(in: 0..<20, using: &random)
        let ends = Int.random(in: begins...20, using: &random)
        await withTaskGroup(of: Void.self) { group in
            var running: Task<Void, any Error>?
            for (index, step) in steps.enumerated() {
                if index == begins { running = Task { try await worker.run() } }
                if index == ends, cancels { running?.cancel() }
                if index == ends, !cancels {
                    for _ in 0..<closes { group.addTask { await worker.mailbox.close() } }
                }
                let delivery = Task { try await worker.deliver(index) }
                if step == 0 { delivery.cancel() }
                group.addTask {
                    do {
                        switch try await delivery.value {
                        case .done(let number): #expect(number == index)
                        case .dropped(.cancelled): #expect(cancels)
                        case .dropped(.closed): break
                        }
                    } catch {
                        #expect(error is CancellationError && step == 0)
                    }
                }
                for _ in 0..<step { await Task.yield() }
            }
            if cancels, ends == 20 { running?.cancel() }
            if !cancels { group.addTask { await worker.mailbox.close() } }
            _ = try? await running?.value
            await worker.mailbox.close()
        }
        #expect(worker.mailbox.isIdle && worker.mailbox.status == "ended")
    }
}
