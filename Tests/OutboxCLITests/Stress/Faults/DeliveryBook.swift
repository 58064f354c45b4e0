import Foundation
import Synchronization

/// What was delivered so far, read from the file that the relays write.
final class DeliveryBook: Sendable {
    struct Snapshot: Sendable {
        fileprivate(set) var tags: Set<Int64> = []
        fileprivate(set) var count = 0
        fileprivate(set) var counts: [String: Int] = [:]
        fileprivate(set) var order = KeyOrder()
    }

    private struct State {
        let file: DeliveryFile
        var snapshot = Snapshot()
    }

    private let state: Mutex<State>

    init(_ url: URL) {
        self.state = Mutex(State(file: DeliveryFile(url)))
    }

    /// Reads what is new, on a thread of its own, and returns all that there is.
    func read() async throws -> Snapshot {
        try await offThePool {
            try self.state.withLock { state in
                for item in try state.file.newItems() {
                    state.snapshot.tags.insert(item.tag)
                    state.snapshot.count += 1
                    state.snapshot.counts[item.destination, default: 0] += 1
                    state.snapshot.order.note(item)
                }
                return state.snapshot
            }
        }
    }
}
