import Outbox

extension ServiceClient {
    /// After so many rounds, what is left waits in the outbox.
    private static let mostRounds = 6
    /// How long a delivery waits for a service that throttles, from its beginning.
    private static let patience = Duration.seconds(5)

    /// Delivers a batch by an action, in rounds: what was throttled is sent again after a pause, and what a request was refused for is
    /// sent alone, to find the message whose fault it is.
    ///
    /// - Parameters:
    ///   - find: What targets are called in requests; called for those that have messages in the batch. Default: what entries call them.
    ///   - forget: Called with a target that is not there any more.
    func deliver<Action: ServiceAction>(
        _ batch: MessageBatch, by action: Action, keyOrder: BatchSchedule.KeyOrder,
        find: @Sendable (Set<String>) async throws -> [String: TargetAddress] = { targets in
            Dictionary(uniqueKeysWithValues: targets.map { ($0, .known($0)) })
        },
        forget: @escaping @Sendable (String) -> Void = { _ in }
    ) async throws -> [Outcome] {
        await self.ready()
        try Task.checkCancellation()
        var part = LentBatch(batch, action.extent)
        var table = action.table(of: part)
        let addresses = try await find(Set(table.list.targets))
        var outcomes: [Outcome] = []
        // Those of the part in the batch.
        var places: [Int] = []
        var isAlone = false
        var hasDelivered = false
        let keyOrder = table.hasFIFO ? .oneAtATime : keyOrder
        let deadline = ContinuousClock.now + Self.patience
        for round in 1... {
            let delivery = ActionDelivery(
                action, self, table, addresses: addresses, isAlone: isAlone, earlierRounds: round - 1,
                hasDelivered: hasDelivered, forget: forget)
            let results: [Outcome]
            do {
                results = try await self.deliver(part, keyOrder: keyOrder, by: delivery)
            } catch  where round > 1 {
                // What earlier rounds have delivered stays so.
                break
            }
            if round == 1 {
                outcomes = results
            } else {
                for (place, result) in zip(places, results) { outcomes[place] = result }
            }
            let again = delivery.rest
            hasDelivered = hasDelivered || results.contains(.delivered)
            if again.indexes.isEmpty || results.contains(where: \.isUnavailable) { break }
            if round >= Self.mostRounds || (again.pause > .zero && .now + again.pause > deadline) { break }
            let indexes = Self.indexes(again.indexes, of: part.batch, results)
            places = round == 1 ? indexes : indexes.map { places[$0] }
            part = LentBatch(
                MessageBatch(places.map { batch[$0] }, isOrderedByKey: batch.isOrderedByKey), action.extent)
            table = action.table(of: part)
            isAlone = isAlone || again.isAlone
            if again.pause > .zero {
                do { try await Task.sleep(for: again.pause) } catch { break }
            }
        }
        return outcomes
    }

    /// Which messages of a round are in the next: those that are sent again, and what is behind these.
    ///
    /// - Parameter again: Those that are sent again.
    static func indexes(_ again: Set<Int>, of batch: MessageBatch, _ results: [Outcome]) -> [Int] {
        // Behind a message that waits in the outbox, nothing of its key is sent.
        var waitingKeys: Set<UInt64> = []
        for (index, result) in results.enumerated() where !again.contains(index) && result.isWaiting {
            if let key = batch.orderingKey(at: index) { waitingKeys.insert(key) }
        }
        return results.indices.filter { index in
            if again.contains(index) { return true }
            guard results[index] == .behind else { return false }
            return batch.orderingKey(at: index).map { !waitingKeys.contains($0) } ?? true
        }
    }
}

extension Outcome {
    /// Whether the message is not settled, and not for one before it.
    fileprivate var isWaiting: Bool {
        switch self.kind {
        case .retry, .unavailable, .postponed: true
        case .delivered, .rejected, .behind: false
        }
    }
}
