/// The result of one attempt to deliver a message.
public struct Outcome: Sendable, Hashable {
    // Indirect: there are arrays of these, nearly all of which are delivered, and so an element is one word that is copied as it is.
    package enum Kind: Sendable, Hashable {
        case delivered
        indirect case retry(after: Duration?, reason: String)
        indirect case rejected(reason: String)
        indirect case unavailable(reason: String)
        case behind
        indirect case postponed(after: Duration, reason: String)
    }

    package let kind: Kind

    /// What went wrong, if something did.
    package var reason: String? {
        switch self.kind {
        case .delivered, .behind: nil
        case .retry(_, let reason), .rejected(let reason), .unavailable(let reason), .postponed(_, let reason): reason
        }
    }

    /// Whether the destination is down.
    package var isUnavailable: Bool { if case .unavailable = self.kind { true } else { false } }

    private init(_ kind: Kind) {
        self.kind = kind
    }

    /// The other side has confirmed the message.
    public static let delivered = Outcome(.delivered)

    /// The attempt failed and is repeated later.
    ///
    /// - Parameters:
    ///   - delay: When to try again; nil: as the destination's retry strategy says.
    ///   - reason: What went wrong, for operators; kept with the message.
    public static func retry(after delay: Duration? = nil, _ reason: String = "") -> Outcome {
        Outcome(.retry(after: delay, reason: reason))
    }

    /// The message can never be delivered: it goes to dead letter at once.
    public static func reject(_ reason: String) -> Outcome {
        Outcome(.rejected(reason: reason))
    }

    /// The destination is down, or refuses every message. The message is tried again
    /// when the destination is up, and the attempt is not counted. Until then only probes are delivered, see ``BreakerPolicy``.
    ///
    /// One such outcome is enough, whatever the outcomes of the rest of the batch. Nothing is deferred for it, later messages of
    /// its key wait with it, and delivered messages of other keys stay delivered. If only this message is unavailable while
    /// others are delivered, it alone is deferred; its attempt is not counted either.
    public static func unavailable(_ reason: String) -> Outcome {
        Outcome(.unavailable(reason: reason))
    }

    /// The message was not tried, because an earlier one of its key in the same batch is not delivered. It comes again
    /// after that one, and no attempt is counted.
    ///
    /// The first message of a batch cannot be behind. If a handler reports it as behind, it is tried again later; for a message
    /// that is alone as a probe, it means that the probe has failed.
    public static let behind = Outcome(.behind)

    /// The part of the destination that the message goes to is out of reach, while other parts are not. It is tried again after
    /// that time, with those behind it of its key, and the attempt is not counted. Nothing else is held up.
    package static func postpone(after delay: Duration, _ reason: String) -> Outcome {
        Outcome(.postponed(after: delay, reason: reason))
    }
}

/// The error by which a handler says more than “try again later”, which every other error means.
///
/// ```swift
/// guard let order = try? message.decode(Order.self) else {
///     throw DeliveryFailure.reject("not an order")
/// }
/// ```
public struct DeliveryFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// What the failure means for the message.
    package let outcome: Outcome

    /// Try again, after that delay if one is given.
    public static func retry(after delay: Duration? = nil, _ reason: String = "") -> DeliveryFailure {
        DeliveryFailure(outcome: .retry(after: delay, reason))
    }

    /// Never try again: the message goes to dead letter at once, with the reason.
    public static func reject(_ reason: String) -> DeliveryFailure {
        DeliveryFailure(outcome: .reject(reason))
    }

    /// The destination is down: try again when it is up, without counting the attempt. See ``BreakerPolicy``.
    public static func unavailable(_ reason: String) -> DeliveryFailure {
        DeliveryFailure(outcome: .unavailable(reason))
    }

    /// What kind of failure it is, and the reason given.
    public var description: String {
        switch self.outcome.kind {
        case .delivered: "delivered"
        case .behind: "behind an earlier one of its key"
        case .retry(_, let reason): "retry: \(reason)"
        case .rejected(let reason): "rejected: \(reason)"
        case .unavailable(let reason): "unavailable: \(reason)"
        case .postponed(_, let reason): "postponed: \(reason)"
        }
    }
}

extension Outcome {
    /// What an error thrown by a handler means.
    package init(thrown error: any Error) {
        if let failure = error as? DeliveryFailure {
            self = failure.outcome
        } else {
            self = .retry(after: nil, String(describing: error))
        }
    }
}
