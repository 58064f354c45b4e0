import Testing

@testable import Outbox
@testable import OutboxTesting

@Suite(.timeLimit(.minutes(5))) struct LaneTests {
    /// A run of no message: only its owner matters.
    private let run: LaneRun

    init() {
        let dispatcher = Dispatcher(
            handler: .handler { _ in }, deferredKeys: [:], observer: .unobserved("d"), onSettled: { _ in },
            onParkedEnd: { _ in }, onChange: {})
        let page = InMemoryPage(stream: StreamID(1), destination: "d", origin: .log, rows: [])
        let ticket = PageTicket(page: page, sequence: 0, lanes: 1)
        self.run = LaneRun(dispatcher, LaneRun.Rows(ticket: ticket, rows: []), HeldMessages())
    }

    @Test func aCallEndsOnce() {
        let lane = Lane()
        #expect(lane.call == nil)
        lane.enter(self.run)
        #expect(lane.call == nil)
        let first = lane.begin()
        #expect(lane.call == first)
        #expect(lane.end(first))
        #expect(lane.call == nil)
        #expect(lane.take(first) == nil, "it has ended")
        let second = lane.begin()
        #expect(second != first)
        #expect(lane.take(first) == nil, "another call")
        #expect(lane.take(second) === self.run)
        #expect(!lane.end(second), "another task has ended it")
        #expect(lane.take(second) == nil)
    }

    @Test func whoEndsACallIsTheOnlyOne() async {
        let lane = Lane()
        for _ in 1...10_000 {
            lane.enter(self.run)
            let call = lane.begin()
            async let taken = lane.take(call)
            let isEnded = lane.end(call)
            let run = await taken
            #expect(isEnded == (run == nil))
            if run != nil { #expect(run === self.run) }
            if isEnded { lane.leave() }
        }
    }
}
