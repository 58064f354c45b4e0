import Outbox
import Synchronization

extension Destination {
    static let eventBus: Destination = "event-bus"
    static let email: Destination = "email"
    static let billing: Destination = "billing"
}

/// The other sides of the demonstration: one that works, one that fails twice before it succeeds, and one that cannot
/// read one of its messages until it has been repaired.
final class DemoHandlers: Sendable {
    static let destinations: [Destination] = [.eventBus, .email, .billing]

    private struct Order: Decodable {
        let customer: Int
        let number: Int
    }

    private struct MailServerBusy: Error, CustomStringConvertible {
        var description: String { "the mail server is busy" }
    }

    private let ledger: DemoLedger
    private let bus: DemoBus?
    private let isRepaired = Mutex(false)

    /// - Parameter bus: The event bus; nil: a closure.
    init(ledger: DemoLedger, bus: DemoBus?) {
        self.ledger = ledger
        self.bus = bus
    }

    /// Billing learns to read what it could not.
    func repair() {
        self.isRepaired.withLock { $0 = true }
    }

    /// What the relay is given.
    var routes: RelayRoutes {
        let settings = DeliverySettings(
            retry: .exponential(maximumAttempts: 3, initialDelay: .milliseconds(150), maximumDelay: .seconds(1)))
        return [
            .eventBus: self.bus.map { .transport($0.transport, settings: settings) }
                ?? .routes(["order.*": .handler { message in try self.publish(message) }], settings: settings),
            .email: .handler(settings: settings) { message in try self.mail(message) },
            .billing: .handler(settings: settings) { message in try self.bill(message) },
        ]
    }

    private func publish(_ message: Message) throws {
        self.reached(message)
        self.ledger.taken(.eventBus, key: message.key, number: try message.decode(Order.self).number)
    }

    /// Every eighth customer's mails need three attempts.
    private func mail(_ message: Message) throws {
        self.reached(message)
        let order = try message.decode(Order.self)
        if order.customer % 8 == 0, message.attempt <= 2 { throw MailServerBusy() }
        self.ledger.taken(.email, key: message.key, number: order.number)
    }

    private func bill(_ message: Message) throws {
        self.reached(message)
        guard let order = try? message.decode(Order.self) else {
            if self.isRepaired.withLock({ $0 }) { return }
            throw DeliveryFailure.retry("not an invoice")
        }
        self.ledger.taken(.billing, key: message.key, number: order.number)
    }

    private func reached(_ message: Message) {
        self.ledger.reached(message.id, message.destination, isFirstAttempt: message.attempt == 1)
    }
}
