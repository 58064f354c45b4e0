import Synchronization

/// What workers have finished, on its way to the loop: pages whose messages are all settled, and parked messages.
final class FinishedWork: Sendable {
    typealias Endings = [(stream: StreamID, ending: Dispatcher.ParkedEnding)]

    private struct State {
        var tickets: [PageTicket] = []
        var endings: Endings = []
        var isEmpty: Bool { self.tickets.isEmpty && self.endings.isEmpty }
    }

    private let state = Mutex(State())

    /// - Returns: Whether the loop has to be woken: it takes all there is at once.
    func add(_ ticket: PageTicket) -> Bool {
        self.add { $0.tickets.append(ticket) }
    }

    /// - Returns: Whether the loop has to be woken.
    func add(_ endings: [Dispatcher.ParkedEnding], of stream: StreamID) -> Bool {
        self.add { state in state.endings += endings.map { (stream, $0) } }
    }

    private func add(_ change: (inout State) -> Void) -> Bool {
        self.state.withLock { state in
            let wasEmpty = state.isEmpty
            change(&state)
            return wasEmpty
        }
    }

    func take() -> (tickets: [PageTicket], endings: Endings) {
        self.state.withLock { state in
            defer { state = State() }
            return (state.tickets, state.endings)
        }
    }
}
