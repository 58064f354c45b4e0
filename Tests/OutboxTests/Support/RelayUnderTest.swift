import Logging
import Outbox
import Synchronization

/// Runs relays that end, or are ended in the middle of everything, when an event says so.
enum RelayUnderTest {
    enum End: Sendable {
        /// As a program that is asked to end.
        case gracefully
        /// As a process that is gone: what it has not committed never was.
        case atOnce
    }

    static func make(
        _ store: any RelayStore, _ routes: RelayRoutes, _ change: (inout RelaySettings) -> Void = { _ in }
    ) -> Relay {
        var logger = Logger(label: "outbox.test")
        logger.logLevel = .critical
        var settings = RelaySettings()
        settings.page.messages = 20
        settings.window.messages = 40
        settings.commit.interval = .milliseconds(1)
        settings.reconnect.initialDelay = .milliseconds(1)
        settings.shutdown.deadline = .seconds(3600)
        change(&settings)
        return Relay(store: store, routes: routes, settings: settings, logger: logger)
    }

    /// - Parameter end: Says for each event whether the relay is to end, and how.
    @discardableResult
    static func run(
        _ relay: Relay, until end: @escaping @Sendable (RelayEvent) -> End?
    ) async throws -> [RelayEvent] {
        let events = relay.events(bufferingNewest: 100_000)
        return try await withThrowingTaskGroup(of: [RelayEvent]?.self) { group in
            group.addTask {
                do { try await relay.run() } catch is CancellationError {}
                return nil
            }
            group.addTask {
                var seen: [RelayEvent] = []
                for await event in events {
                    seen.append(event)
                    switch end(event) {
                    case .gracefully: relay.stop()
                    case .atOnce: return seen
                    case nil: break
                    }
                }
                return seen
            }
            var all: [RelayEvent] = []
            for try await result in group {
                guard let result else { continue }
                all = result
                group.cancelAll()
            }
            return all
        }
    }
}

/// What handlers were given, in order.
final class Calls: Sendable {
    struct Item: Sendable, Hashable {
        let id: Int64
        let key: String?
        let attempt: Int
    }

    private struct State {
        var items: [Item] = []
        var running = 0
        var most = 0
    }

    private let state = Mutex(State())

    func begin(_ message: Message) {
        let item = Item(id: message.id, key: message.key, attempt: message.attempt)
        self.state.withLock { state in
            state.items.append(item)
            state.running += 1
            state.most = max(state.most, state.running)
        }
    }

    func end() { self.state.withLock { $0.running -= 1 } }

    var all: [Item] { self.state.withLock(\.items) }
    var ids: [Int64] { self.all.map(\.id) }
    /// How many there were at the same time, at most.
    var most: Int { self.state.withLock(\.most) }

    func attempts(of id: Int64) -> [Int] { self.all.filter { $0.id == id }.map(\.attempt) }

    var isOrderedByKey: Bool {
        Dictionary(grouping: self.all.filter { $0.key != nil }, by: \.key).values.allSatisfy { items in
            zip(items, items.dropFirst()).allSatisfy { $0.id <= $1.id }
        }
    }
}
