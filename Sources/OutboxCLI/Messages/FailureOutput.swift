import Outbox
import OutboxPostgres
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// How it is shown how many messages have failed alike.
enum FailureOutput {
    /// - Parameter none: What is said where there are none.
    static func print(_ groups: [FailureGroup], as options: ListOptions, none: String) {
        if options.json { return self.printJSON(groups) }
        if groups.isEmpty { return Terminal.output.print(none) }
        var table = Table(
            ("MESSAGES", .right), ("DESTINATION", .left), ("REASON", .left), ("FIRST", .right), ("LAST", .right),
            ("ERROR", .left))
        for group in groups {
            table.add(
                group.messages.grouped, group.destination.name.plain(30), group.reason?.rawValue ?? "-",
                self.age(group.firstAt), self.age(group.lastAt), group.error)
        }
        table.print()
        options.note(groups.count)
    }

    /// How long ago something was.
    static func age(_ date: Date) -> String { Duration.seconds(max(-date.timeIntervalSinceNow, 0)).short }

    private static func printJSON(_ groups: [FailureGroup]) {
        var json = JSONWriter()
        json.beginArray()
        for group in groups {
            json.beginObject()
            json.name("destination")
            json.string(group.destination.name)
            json.name("reason")
            json.string(group.reason?.rawValue)
            json.name("error")
            json.string(group.error)
            json.name("messages")
            json.integer(group.messages)
            json.name("first_at")
            json.string(RFC3339.text(group.firstAt))
            json.name("last_at")
            json.string(RFC3339.text(group.lastAt))
            json.endObject()
        }
        json.endArray()
        json.print()
    }
}
