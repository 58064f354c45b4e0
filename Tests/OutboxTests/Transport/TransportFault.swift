/// What a faulty transport does wrong, and which conformance checks are meant to notice.
enum TransportFault: String, CaseIterable, Sendable {
    case losesSome, repeats, overstatesItsLimit, reversesOutcomes, forgetsAnOutcome, deliversRefused, isUnavailableForOne, retriesOversized
    case ordersNothing, passesFailures, alwaysOrders
    case deliversNothing, retriesOutages, rejectsOutages, staysUp, leaks
    case endsByItself, neverCloses, deliversClosed, neverReturns, neverKnows

    var caughtBy: [String] {
        switch self {
        case .losesSome:
            [
                "a message arrives as it was enqueued, and is delivered", "messages of a key arrive in order",
                "batches are delivered side by side",
                "connections that break in mid-batch lose nothing and change no order",
                "closing finishes what is under way", "a cancelled delivery returns, and harms no other",
            ]
        case .repeats: ["a message arrives as it was enqueued, and is delivered"]
        case .overstatesItsLimit: ["a batch that has as much as it may have is delivered"]
        case .reversesOutcomes, .deliversRefused, .isUnavailableForOne: ["outcomes are in the order of the batch"]
        case .forgetsAnOutcome: ["a message arrives as it was enqueued, and is delivered"]
        case .retriesOversized: ["a message that is too long is rejected, and no other"]
        case .ordersNothing:
            ["messages of a key arrive in order"]
        case .passesFailures: ["what follows a refused message of its key does not pass it"]
        case .alwaysOrders: ["where order does not matter, nothing is behind"]
        case .deliversNothing, .retriesOutages, .rejectsOutages:
            [
                "an other side that is out of reach is unavailable, and nothing else",
                "a transport that begins while its other side is out of reach delivers later",
            ]
        case .staysUp: ["an other side that is out of reach is unavailable, and nothing else"]
        case .leaks: ["reconnecting leaves nothing behind"]
        case .neverKnows: ["whether there is contact is known in time"]
        case .endsByItself: ["messages of a key arrive in order", "batches are delivered side by side"]
        case .neverCloses: ["a transport that nothing was asked of can be closed"]
        case .deliversClosed: ["closing finishes what is under way"]
        case .neverReturns: ["a transport that is cancelled ends, with everything under way"]
        }
    }
}
