import Outbox

/// `outbox relay --check`: tries each route without sending a message.
struct RouteCheck {
    /// What was found out about a route.
    enum Verdict: Sendable {
        /// Messages would be taken, as far as can be known without one.
        case fine(String)
        /// The other side is out of reach, refuses the login, or lacks what messages go to.
        case unavailable(String)
        /// What the route says cannot work.
        case wrong(String)
    }

    /// The routes as they are written, and what they lead to.
    let routes: [(name: String, sink: Sink, transport: (any Transport)?)]

    /// Tries all of them at the same time, those with the same address once, and prints a line for each, in their order.
    ///
    /// - Throws: A ``CommandFailure`` where one cannot be used.
    func callAsFunction(on terminal: Terminal = .output) async throws {
        let verdicts = await self.verdicts()
        let width = self.routes.map(\.name.count).max() ?? 0
        var worst: ExitStatus?
        for (route, verdict) in zip(self.routes, verdicts) {
            let padding = String(repeating: " ", count: width - route.name.count + 2)
            let (mark, text): (String, String)
            switch verdict {
            case .fine(let words): (mark, text) = (terminal.styled("✓", .green), words)
            case .unavailable(let reason):
                (mark, text) = (terminal.styled("✗", .red), reason)
                worst = worst ?? .unavailable
            case .wrong(let reason):
                (mark, text) = (terminal.styled("✗", .red), reason)
                worst = .usage
            }
            terminal.print("\(mark) \(route.name.plain())\(padding)\(text.plain())")
        }
        guard let worst else { return }
        let count = verdicts.count { if case .fine = $0 { false } else { true } }
        throw CommandFailure(worst, "\(count) of \(verdicts.count) routes cannot be used")
    }

    private func verdicts() async -> [Verdict] {
        var tried: [ObjectIdentifier: Verdict] = [:]
        await withTaskGroup(of: (ObjectIdentifier, Verdict).self) { group in
            var begun: Set<ObjectIdentifier> = []
            for transport in self.routes.compactMap(\.transport)
            where begun.insert(ObjectIdentifier(transport)).inserted {
                group.addTask { (ObjectIdentifier(transport), await Self.verdict(on: transport)) }
            }
            for await (transport, verdict) in group { tried[transport] = verdict }
        }
        return self.routes.map { route in
            route.transport.flatMap { tried[ObjectIdentifier($0)] } ?? Self.verdict(on: route.sink)
        }
    }

    /// Runs a transport for as long as it is tried.
    private static func verdict(on transport: any Transport) async -> Verdict {
        await withTaskGroup(of: Verdict?.self) { group in
            group.addTask {
                do {
                    try await transport.run()
                    return nil
                } catch {
                    return error is CancellationError ? nil : .wrong("\(error)")
                }
            }
            group.addTask {
                let health = await transport.check()
                return health.isUp
                    ? .fine("\(transport) can be used") : .unavailable("\(transport): \(health.reason ?? "\(health)")")
            }
            var verdict: Verdict?
            while verdict == nil, let next = await group.next() { verdict = next }
            await transport.close()
            group.cancelAll()
            return verdict ?? .unavailable("\(transport) has ended")
        }
    }

    /// What is known of a sink without a transport.
    private static func verdict(on sink: Sink) -> Verdict {
        switch sink {
        case .stdout, .discard, .broker: return .fine("nothing to try")
        case .exec: return .fine("the command is not run")
        case .file(let path):
            if let defect = Descriptor.defect(ofFile: path) { return .unavailable("\(path): \(defect)") }
            return .fine("\(path) can be written")
        }
    }
}
