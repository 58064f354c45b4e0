import OutboxPostgres
import OutboxPrometheus
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What a look at the database has found, as metrics: of each destination of the subscription, whichever relay has it.
enum DatabaseFamilies {
    static func all(_ look: DatabaseLook) -> [MetricFamily] {
        var families = [
            MetricFamily(
                "outbox_database_up", .gauge,
                "Whether the last look at the database succeeded. If not, what it would have said is left out.",
                look.figures == nil ? 0 : 1),
            MetricFamily(
                "outbox_database_look_seconds", .gauge, "How long the last look at the database took.",
                look.time.inSeconds),
        ]
        if let succeeded = look.succeededAt {
            families.append(
                MetricFamily(
                    "outbox_database_last_success_timestamp_seconds", .gauge,
                    "When a look at the database last succeeded, in seconds since 1970.",
                    succeeded.timeIntervalSince1970))
        }
        guard let figures = look.figures else { return families }
        families.append(
            MetricFamily(
                "outbox_messages_count_limit", .gauge,
                "How far messages of a stream are counted: a number that reaches it stands for that many or more.",
                Double(look.countLimit)))
        return families + self.destinations(figures) + self.outbox(figures)
    }

    private static func outbox(_ figures: DatabaseFigures) -> [MetricFamily] {
        var relays = MetricFamily(
            "outbox_relays", .gauge,
            "Sessions of relays of the subscription: those that deliver, and those that stand by.")
        for (state, count) in [("delivering", figures.deliveringRelays), ("standby", figures.standbyRelays)] {
            relays.add(LabelSet([("subscription", figures.subscription), ("state", state)]), Double(count))
        }
        return [
            relays,
            MetricFamily(
                "outbox_log_bytes", .gauge, "The size of the log on disk, indexes included.",
                Double(figures.logBytes)),
        ]
    }

    private static func destinations(_ figures: DatabaseFigures) -> [MetricFamily] {
        var waiting = MetricFamily(
            "outbox_messages_waiting", .gauge, "Messages in the log that have not been handled.")
        var oldest = MetricFamily(
            "outbox_oldest_waiting_age_seconds", .gauge,
            "How long ago the oldest of them was enqueued; 0: there are none.")
        var deferred = MetricFamily(
            "outbox_messages_deferred", .gauge, "Messages that wait for a further attempt, or for their time.")
        var oldestDeferred = MetricFamily(
            "outbox_oldest_deferred_age_seconds", .gauge,
            "For how long the oldest of them should have been delivered; 0: all wait for their time, or there are none."
        )
        var dead = MetricFamily("outbox_dead_letters", .gauge, "Messages that are not tried again.")
        var state = MetricFamily(
            "outbox_destination_state", .gauge,
            "1 for what becomes of the destination's messages: delivering, down, not served, paused or never served.")
        for total in figures.destinations {
            let pairs = [("destination", total.name), ("subscription", figures.subscription)]
            let labels = LabelSet(pairs)
            waiting.add(labels, Double(total.waiting))
            oldest.add(labels, total.oldest?.inSeconds ?? 0)
            state.add(LabelSet(pairs + [("state", total.state.rawValue)]), 1)
            // Nothing is deferred or dead of a destination that no relay has ever had.
            if total.state == .neverServed { continue }
            deferred.add(labels, Double(total.deferred))
            oldestDeferred.add(labels, total.oldestDeferred?.inSeconds ?? 0)
            dead.add(labels, Double(total.dead))
        }
        return [waiting, oldest, deferred, oldestDeferred, dead, state]
    }

    static let names: Set<String> = Set(
        all(DatabaseLook(figures: DatabaseFigures(subscription: ""), succeededAt: Date())).map(\.name))
}
