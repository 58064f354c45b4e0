import Outbox
import OutboxSQL

/// Reading deferred messages.
extension PostgresSession {
    /// Reads what is due of the deferred messages, leaving the doorbell alone.
    func readDeferred(_ requests: inout [ReadRequest]) async throws(PostgresError) -> ReadResult? {
        let due = requests.filter(\.deferred)
        if due.isEmpty { return nil }
        for index in requests.indices { requests[index].deferred = false }
        var plan: [(SQLStatement, Answer)] = []
        for request in due { self.planDeferred(request, &plan) }
        // Last: what was read waited for who was dropping the outbox, and is of the one that came after it.
        plan.append((self.sameLog, .none))
        let results: [QueryResult]
        do throws(PostgresError) {
            results = try await self.connection.pipeline(plan.map(\.0))
        } catch {
            guard error.sqlState == SQLState.divisionByZero, error.statementIndex == plan.count - 1 else { throw error }
            self.isLogReplaced = true
            return ReadResult()
        }
        var result = ReadResult()
        for (answer, part) in zip(plan.map(\.1), results) { self.takeDeferred(answer, part, &result) }
        return result
    }

    func planDeferred(_ request: ReadRequest, _ plan: inout [(SQLStatement, Answer)]) {
        guard let stream = self.streams[request.stream] else { return }
        let subscription = SQLValue.text(self.subscription)
        let destination = SQLValue.text(stream.destination.name)
        let limit = request.messages > 0 ? request.messages : 1000
        let excluded = SQLValue.int8Array(request.excluding)
        let due: [SQLValue] = [subscription, destination, .int8(Int64(limit)), .int8(Int64(request.bytes)), excluded]
        plan.append((self.bound(self.statements.readDue, due), .due(request)))
        plan.append((self.bound(self.statements.nextDue, [subscription, destination, excluded]), .nextDue(request)))
    }

    func takeDeferred(_ answer: Answer, _ part: QueryResult, _ result: inout ReadResult) {
        switch answer {
        case .due(let request):
            guard part.rowCount > 0, let stream = self.streams[request.stream] else { return }
            result.pages.append(
                PostgresPage(
                    part, stream: stream.id, destination: stream.destination, origin: .deferred, isVerified: false,
                    cursor: nil, generation: stream.generation))
        case .nextDue(let request):
            // A page of what is due is on its way: the relay asks again when it is committed.
            let isOnItsWay = result.pages.contains { $0.stream == request.stream && $0.origin == .deferred }
            let microseconds = isOnItsWay || part.rowCount == 0 ? nil : part.int64(row: 0, column: 0)
            var due = microseconds.map { Duration.microseconds(max($0, 0)) }
            // Who only polls is not told of what others put there.
            if let interval = self.wakeup.pollingInterval, !isOnItsWay { due = min(due ?? interval, interval) }
            result.nextDue[request.stream] = .some(due)
        default:
            break
        }
    }
}
