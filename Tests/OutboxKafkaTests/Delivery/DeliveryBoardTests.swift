import Outbox
import Testing

@testable import OutboxKafka

@Suite(.timeLimit(.minutes(1))) struct DeliveryBoardTests {
    private let board = DeliveryBoard()

    private func delivery() throws -> BatchReports {
        let reports = BatchReports(MessageBatch([.numbered(1)]))
        try self.board.add(reports)
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
        let roomsMade = self.board.roomsMade
        self.board.makeRoom()
        self.board.wantRoom(delivery, roomsMade: roomsMade, isFirst: false)
        await self.isCalled(delivery)
    }

    @Test func whoeverHasEnoughRoomPassesItOn() async throws {
        let deliveries = try (0..<3).map { _ in try self.delivery() }
        for delivery in deliveries {
            self.board.wantRoom(delivery, roomsMade: self.board.roomsMade, isFirst: false)
        }
        self.board.makeRoom()
        for delivery in deliveries {
            await self.isCalled(delivery)
            self.board.passRoomOn(from: delivery)
        }
    }

    @Test func whoeverHasBegunGoesFirst() async throws {
        let (waiting, begun) = (try self.delivery(), try self.delivery())
        self.board.wantRoom(waiting, roomsMade: self.board.roomsMade, isFirst: false)
        self.board.wantRoom(begun, roomsMade: self.board.roomsMade, isFirst: true)
        self.board.makeRoom()
        await self.isCalled(begun)
    }

    /// It was called, and did not use the room.
    @Test func whoeverEndsPassesRoomOn() async throws {
        let (ending, waiting) = (try self.delivery(), try self.delivery())
        self.board.wantRoom(ending, roomsMade: self.board.roomsMade, isFirst: false)
        self.board.wantRoom(waiting, roomsMade: self.board.roomsMade, isFirst: false)
        self.board.makeRoom()
        self.board.remove(ending)
        await self.isCalled(waiting)
    }
}
