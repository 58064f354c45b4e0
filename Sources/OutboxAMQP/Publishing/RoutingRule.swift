import Outbox

/// By what an exchange chooses the queues of a message.
enum RoutingRule: Hashable {
    /// By nothing: every queue that is bound to it takes each message.
    case none
    case routingKey
    /// By headers or properties of the message.
    case message

    /// The rule of the exchange that a configuration names. One that is not declared here counts as routing by key.
    init(_ exchange: AMQPConfiguration.Exchange) {
        guard let declaration = exchange.declaration else {
            self = .routingKey
            return
        }
        var type = declaration.type
        // An exchange that delays messages routes as another type does, once it is time.
        if exchange.delaysMessages, case .text(let other)? = declaration.arguments["x-delayed-type"]?.value {
            type = other
        }
        let hashed = ["hash-header", "hash-property"].contains { declaration.arguments[$0] != nil }
        switch type {
        case "fanout": self = .none
        case "headers": self = .message
        default: self = hashed ? .message : .routingKey
        }
    }
}

extension AMQPConfiguration.Exchange {
    /// Whether it is one of the plugin that keeps messages until their time has come, and calls them unroutable meanwhile.
    var delaysMessages: Bool { self.declaration?.type == "x-delayed-message" }
}

/// Where messages go, as far as they have no say in it.
struct FixedAddress {
    private let rule: RoutingRule
    private let hasFixedKey: Bool

    init(_ configuration: AMQPConfiguration) {
        self.rule = RoutingRule(configuration.exchange)
        self.hasFixedKey = !configuration.publishing.routingKey.variesWithinDestination
    }

    /// Whether a message goes where every message of its destination goes. Then a queue that refuses it, or that there is none,
    /// is an outage of the destination: no other message would fare better.
    func includes(_ publication: Publication) -> Bool {
        if publication.exchange != nil { return false }
        switch self.rule {
        case .none: return true
        case .routingKey: return self.hasFixedKey && !publication.hasOwnRoutingKey
        case .message: return false
        }
    }
}
