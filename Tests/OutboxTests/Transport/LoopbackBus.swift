import Outbox
import OutboxTesting
import Synchronization

/// The other side of a ``LoopbackTransport``: what a broker is, in memory.
final class LoopbackBus: TransportFixture {
    private struct State {
        var received: [ReceivedMessage] = []
        var isReachable = true
        /// Which connections are alive: those that were made in it.
        var generation = 0
    }

    private let state = Mutex(State())
    let fault: TransportFault?

    init(_ fault: TransportFault? = nil) {
        self.fault = fault
    }

    // MARK: - What a transport does

    /// Accepts a connection.
    func connect() -> Int? {
        self.state.withLock { $0.isReachable ? $0.generation : nil }
    }

    /// - Returns: Whether it is still connected.
    func isConnected(_ generation: Int) -> Bool {
        self.state.withLock { $0.isReachable && $0.generation == generation }
    }

    /// Takes a message.
    func take(_ message: Message) {
        let received = ReceivedMessage(payload: message.payload, key: message.key ?? "", headers: message.headers)
        self.state.withLock { $0.received.append(received) }
    }

    // MARK: - What a check does

    var patience: Duration { self.fault == nil ? .seconds(60) : .seconds(2) }
    // What leaks is the whole process's.
    var reconnects: Int { self.fault == nil ? 1000 : 800 }
    var oversizedPayload: [UInt8]? { Array(repeating: 0, count: LoopbackTransport.largest + 1) }

    func makeTransport() -> any Transport { LoopbackTransport(self) }

    func received() -> [ReceivedMessage] { self.state.withLock(\.received) }

    func refused(_ message: NewMessage) -> NewMessage {
        var message = message
        message.route = "forbidden"
        return message
    }

    func cutConnections() { self.state.withLock { $0.generation += 1 } }
    func stop() { self.state.withLock { $0.isReachable = false } }

    func start() {
        self.state.withLock { state in
            state.isReachable = true
            state.generation += 1
        }
    }
}
