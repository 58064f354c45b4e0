import Outbox
import OutboxRuntime
import Testing

@testable import OutboxKafka

@Suite(.timeLimit(.minutes(1))) struct SharedProducerTests {
    private let producer = SharedProducer()

    private func delivery() throws -> BatchReports {
        let reports = BatchReports(MessageBatch([.numbered(1)]))
        #expect(self.producer.mailbox.add(reports) == nil)
        return reports
    }

    /// Waits until it is called. One that never is ends with the test's time.
    private func isCalled(_ delivery: BatchReports) async {
        await withTaskCancellationHandler {
            await delivery.wait(for: .anything)
        } onCancel: {
            delivery.cancel()
        }
    }

    /// Reports that arrive between an attempt to send and the wish for room may have been the last ones.
    @Test func roomThatWasMadeMeanwhileIsNotMissed() async throws {
        let delivery = try self.delivery()
        let roomsMade = self.producer.roomsMade
        self.producer.makeRoom()
        self.producer.wantRoom(delivery, roomsMade: roomsMade, isFirst: false)
        await self.isCalled(delivery)
    }

    @Test func whoeverHasEnoughRoomPassesItOn() async throws {
        let deliveries = try (0..<3).map { _ in try self.delivery() }
        for delivery in deliveries {
            self.producer.wantRoom(delivery, roomsMade: self.producer.roomsMade, isFirst: false)
        }
        self.producer.makeRoom()
        for delivery in deliveries {
            await self.isCalled(delivery)
            self.producer.passRoomOn(from: delivery)
        }
    }

    @Test func whoeverHasBegunGoesFirst() async throws {
        let (waiting, begun) = (try self.delivery(), try self.delivery())
        self.producer.wantRoom(waiting, roomsMade: self.producer.roomsMade, isFirst: false)
        self.producer.wantRoom(begun, roomsMade: self.producer.roomsMade, isFirst: true)
        self.producer.makeRoom()
        await self.isCalled(begun)
    }

    /// It was called, and did not use the room.
    @Test func whoeverEndsPassesRoomOn() async throws {
        let (ending, waiting) = (try self.delivery(), try self.delivery())
        self.producer.wantRoom(ending, roomsMade: self.producer.roomsMade, isFirst: false)
        self.producer.wantRoom(waiting, roomsMade: self.producer.roomsMade, isFirst: false)
        self.producer.makeRoom()
        self.producer.remove(ending)
        await self.isCalled(waiting)
    }
}
