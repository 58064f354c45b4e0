import Outbox

/// Tells the service manager how the relay is: that it is ready once it has a connection, what it is doing in a line, and that it is alive.
struct Supervision: Sendable {
    let manager: ServiceManager

    /// Tells it until the task is cancelled.
    ///
    /// - Parameter state: What the relay that runs now is doing.
    func run(_ state: @Sendable () -> RelayState) async {
        let interval = min(self.manager.watchdog.map { $0 / 3 } ?? .seconds(1), .seconds(1))
        var isReady = false
        var last = ""
        while !Task.isCancelled {
            let state = state()
            if state.isReady, !isReady {
                isReady = true
                self.manager.tell(.ready)
            }
            let line = Self.line(state)
            if line != last {
                last = line
                self.manager.tell(.status(line))
            }
            // From a task, so that it says something: where no task goes on, nothing is delivered either.
            if self.manager.watchdog != nil { self.manager.tell(.alive) }
            try? await Task.sleep(for: interval)
        }
    }

    /// A relay in a line.
    static func line(_ state: RelayState) -> String {
        var phase = state.phase.word
        if case .disconnected(let reason, _) = state.phase { phase += ": \(reason)" }
        if state.down.isEmpty { return phase }
        let names = state.down.keys.map(\.name).sorted()
        let shown = names.prefix(3).joined(separator: ", ")
        return "\(phase); down: \(shown)\(names.count > 3 ? " and \(names.count - 3) more" : "")"
    }
}
