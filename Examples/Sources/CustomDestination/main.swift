// Checks the destination as a test would: a relay delivers to it from an outbox in memory. No server is needed.
import Foundation
import Logging
import Outbox
import OutboxTesting
import SystemPackage

extension Destination {
    static let journal: Destination = "journal"
}

let parent = FileManager.default.temporaryDirectory.appendingPathComponent("journal-\(UUID().uuidString)")
let folder = parent.appendingPathComponent("lines").path
defer { try? FileManager.default.removeItem(at: parent) }

let outbox = InMemoryOutbox()
let first = try outbox.enqueue(NewMessage(to: .journal, route: "orders", key: "1", text: "placed"))
let second = try outbox.enqueue(NewMessage(to: .journal, route: "orders", key: "1", text: "paid"))
let other = try outbox.enqueue(NewMessage(to: .journal, route: "mails", text: "Thank you"))
let outside = try outbox.enqueue(NewMessage(to: .journal, route: "../orders", text: "nowhere"))
let twoLines = try outbox.enqueue(NewMessage(to: .journal, route: "orders", text: "two\nlines"))

let journal = Journal(folder: FilePath(folder))
let relay = Relay(
    store: outbox, routes: [.journal: journal.handler],
    logger: Logger(label: "journal") { _ in SwiftLogNoOpLogHandler() })

// The folder is made only when the destination has been found to be down.
let events = relay.events
async let running: Void = relay.run()
var settled = 0
var outages = 0
for await event in events {
    switch event {
    case .opened:
        outages += 1
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    case .delivered, .deadLettered: settled += 1
    default: break
    }
    if settled == 5 { relay.stop() }
}
try await running

func lines(_ route: String) throws -> [String] {
    try String(contentsOfFile: folder + "/" + route, encoding: .utf8).split(separator: "\n").map(String.init)
}

let orders = try lines("orders")
let mails = try lines("mails")
let dead = outbox.deadLetters()
precondition(outages == 1, "a folder that is missing is an outage")
precondition(orders == ["\(first)\tplaced", "\(second)\tpaid"], "lines of one key are in order, once each")
precondition(mails == ["\(other)\tThank you"], "a file for each route")
precondition(dead.map(\.id) == [outside, twoLines], "what can never be written is a dead letter")
precondition(dead.allSatisfy { $0.reason == .rejected && $0.attempts == 1 }, "at once, without another attempt")
precondition(outbox.pending().isEmpty && outbox.deferred().isEmpty, "nothing is left")
print("3 messages written, 2 rejected, 1 outage survived")
