import OutboxPostgres
import OutboxRuntime

/// How subscriptions are printed.
enum SubscriptionOutput {
    static func table(_ subscriptions: [OutboxSubscription]) -> Table {
        var table = Table(
            ("SUBSCRIPTION", .left), ("STREAMS", .right), ("DESTINATIONS", .right), ("WAITING", .right),
            ("OLDEST", .right),
            ("DEFERRED", .right), ("DEAD", .right), ("RELAYS", .right))
        for subscription in subscriptions {
            table.add(
                subscription.name, String(subscription.streams), String(subscription.destinations),
                subscription.lag.description, subscription.lagTime?.short ?? "-", subscription.deferred.description,
                subscription.dead.description, String(subscription.relays.count))
        }
        return table
    }

    static func printJSON(_ subscriptions: [OutboxSubscription]) {
        var json = JSONWriter()
        json.beginArray()
        for subscription in subscriptions {
            json.beginObject()
            json.name("subscription")
            json.string(subscription.name)
            json.name("streams")
            json.integer(subscription.streams)
            json.name("destinations")
            json.integer(subscription.destinations)
            json.count("waiting", subscription.lag, exact: "waiting_exact")
            json.seconds("oldest_seconds", subscription.lagTime)
            json.count("deferred", subscription.deferred, exact: "deferred_exact")
            json.count("dead", subscription.dead, exact: "dead_exact")
            json.name("relays")
            json.beginArray()
            for relay in subscription.relays { json.integer(Int(relay.processID)) }
            json.endArray()
            json.endObject()
        }
        json.endArray()
        json.print()
    }

    /// What goes with a subscription.
    static func contents(_ subscription: OutboxSubscription) -> String {
        [
            self.count(subscription.streams.grouped, "stream", isOne: subscription.streams == 1),
            self.count(
                subscription.lag.description, "message that waits", "messages that wait",
                isOne: subscription.lag.value == 1),
            self.count(
                subscription.deferred.description, "deferred message", isOne: subscription.deferred.value == 1),
            self.count(subscription.dead.description, "dead letter", isOne: subscription.dead.value == 1),
        ].joined(separator: ", ")
    }

    static func contents(_ removal: OutboxSubscription.Removal) -> String {
        [
            self.count(removal.streams.grouped, "stream", isOne: removal.streams == 1),
            self.count(removal.deferred.grouped, "deferred message", isOne: removal.deferred == 1),
            self.count(removal.dead.grouped, "dead letter", isOne: removal.dead == 1),
        ].joined(separator: ", ")
    }

    private static func count(_ number: String, _ noun: String, _ plural: String? = nil, isOne: Bool) -> String {
        "\(number) \(isOne ? noun : plural ?? noun + "s")"
    }
}
