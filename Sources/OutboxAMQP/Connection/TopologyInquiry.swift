import Outbox
import OutboxRuntime

/// Asks a broker whether it has what messages go to, over a connection of its own, on which nothing is declared or published.
struct TopologyInquiry: Sendable {
    let configuration: AMQPConfiguration

    /// Asks the first host that answers. Returns at once when the task is cancelled.
    func callAsFunction() async -> TransportHealth {
        let answer = Answer<TransportHealth>()
        guard DedicatedThread.start({ answer.give(.success(self.ask())) }) else {
            return .down("the system has no thread left")
        }
        return (try? await answer.wait()) ?? .down("cancelled")
    }

    private func ask() -> TransportHealth {
        var reasons: [String] = []
        for host in self.configuration.hosts {
            do throws(ConnectionLoss) {
                return try self.ask(host)
            } catch {
                reasons.append("\(host): \(error.reason)")
            }
        }
        return .down(reasons.joined(separator: "; "))
    }

    private func ask(_ host: AMQPConfiguration.Host) throws(ConnectionLoss) -> TransportHealth {
        var connection = try BrokerConnection(to: host, self.configuration) { _ in }
        var health = TransportHealth.up
        do throws(BrokerConnection.RequestError) {
            try connection.openChannel(1)
            try connection.findTopology(self.configuration, on: 1)
        } catch {
            switch error {
            case .channel(let fault): health = .down(fault.reason)
            case .connection(let loss): throw loss
            }
        }
        connection.close(within: .seconds(2))
        return health
    }
}
