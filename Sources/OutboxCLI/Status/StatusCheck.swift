import Outbox
import OutboxPostgres
import OutboxRuntime

/// From where on the state of an outbox is not well: for a probe, or a job that calls a person.
struct StatusCheck {
    /// How long the oldest message that should have been delivered may wait.
    var age: Duration
    /// How many dead letters there may be.
    var dead: Int
    /// How many messages may wait in the log; nil: any number.
    var waiting: Int?

    /// What is not well, a sentence for each.
    func findings(_ status: OutboxStatus) -> [String] {
        var findings: [String] = []
        if status.workingRelays.isEmpty {
            let ever = status.streams.isEmpty && status.relays.isEmpty ? "has ever worked" : "is working"
            findings.append("no relay \(ever) for the subscription “\(status.subscription)”")
        }
        for waiting in status.unregistered {
            if let most = self.waiting, waiting.messages.value > most {
                findings.append(
                    "\(waiting.destination): \(waiting.messages.messages) \(waiting.messages.isOne ? "waits" : "wait")")
            }
        }
        for waiting in status.unregistered where waiting.lagTime > self.age {
            findings.append(
                "\(waiting.destination): \(OutboxStatus.State.neverServed.rawValue), the oldest message waits for \(waiting.lagTime.short)"
            )
        }
        for stream in status.streams {
            let name = stream.title
            if let oldest = stream.oldest, oldest > self.age {
                let isDeferred = oldest == stream.deferredTime && oldest != stream.lagTime
                findings.append(
                    "\(name): \(stream.state.rawValue)\(stream.outage.map { " (\($0.reason))" } ?? ""), the oldest \(isDeferred ? "deferred message" : "message") waits for \(oldest.short)"
                )
            }
            if stream.dead.value > self.dead {
                findings.append("\(name): \(stream.dead) dead \(stream.dead.value == 1 ? "letter" : "letters")")
            }
            if let most = self.waiting, stream.lag.value > most {
                findings.append("\(name): \(stream.lag.messages) \(stream.lag.isOne ? "waits" : "wait")")
            }
        }
        return findings
    }
}
