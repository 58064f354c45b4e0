import Outbox
import OutboxPostgres
import OutboxRuntime

/// One destination: its streams, the routes of its messages, and why messages to it fail.
struct DestinationView {
    /// Of how many messages, the last ones, routes are counted.
    private static let counted = 1000

    let name: String
    let look: DatabaseLook
    let settings: WebSettings

    func values(_ outbox: WebOutbox) async -> [String: Any] {
        var values: [String: Any] = ["name": self.name, "canChange": self.settings.allowsChanges]
        var filter = FormFields()
        filter.add("destination", self.name)
        values["deadHref"] = "dead-letters?\(filter.text)"
        values["deferredHref"] = "deferred?\(filter.text)"
        if !self.settings.routes.isEmpty {
            values["route"] = self.settings.routes[self.name] ?? self.settings.routes[nil] ?? "no route"
        }
        guard let status = self.look.status else {
            values["failure"] = self.look.failure ?? "it has not been looked at yet"
            return values
        }
        let streams = status.streams.filter { $0.destination.name == self.name }
        values["streams"] = streams.map { self.row($0) }
        values["hasStreams"] = !streams.isEmpty
        if let waiting = status.unregistered.first(where: { $0.destination.name == self.name }) {
            values["unserved"] = """
                No relay has ever had a route for it: \(waiting.messages.messages) \(waiting.messages.isOne ? "waits" : "wait"), the oldest for \
                \(waiting.lagTime.short). Give a relay a route, or, if the name is a mistake, discard them: outbox stream discard.
                """
        } else if streams.isEmpty {
            values["unserved"] = "There is no such destination, and nothing waits for it."
        }
        if let outage = streams.compactMap(\.outage).max(by: { $0.time < $1.time }) {
            values["outage"] = "Down for \(outage.time.short): \(outage.reason.plain(300))"
        }
        do {
            let routes = try await self.routes(outbox)
            values["routes"] = routes.map(Self.row)
            values["hasRoutes"] = !routes.isEmpty
            if routes.map(\.messages).reduce(0, +) >= Self.counted { values["counted"] = Self.counted.grouped }
        } catch {
            values["routesFailure"] = "Its messages' routes cannot be shown: \(CommandFailure(error).message)"
        }
        do {
            values["groups"] = try await self.groups(outbox)
        } catch {
            values["groupsFailure"] = "Why messages fail cannot be shown: \(CommandFailure(error).message)"
        }
        return values
    }

    private func row(_ stream: OutboxStatus.Stream) -> [String: Any] {
        [
            "slots": stream.slots == 0...1023 ? "all" : "\(stream.slots.lowerBound)–\(stream.slots.upperBound)",
            "state": stream.state.rawValue, "kind": StateStyle.kind(stream.state, isQuiet: stream.oldest == nil),
            "relay": stream.owner.map { "server process \($0)" } ?? "–", "position": Int(stream.position).grouped,
            "waiting": stream.lag.description, "oldest": stream.oldest?.short ?? "–",
            "rate": stream.rate.map { Int($0.rounded()).grouped } ?? "–", "inFlight": stream.inFlight?.grouped ?? "–",
            "deferred": stream.deferred.description, "dead": stream.dead.description,
        ]
    }

    private func routes(_ outbox: WebOutbox) async throws -> [RouteCount] {
        try await outbox.withConnection { connection, target in
            try await OutboxInspector(schema: target.schema).routes(
                of: Destination(self.name), count: Self.counted, on: connection)
        }
    }

    private static func row(_ route: RouteCount) -> [String: Any] {
        [
            "route": route.route?.plain(200) ?? "none", "messages": route.messages.grouped,
            "last": route.lastAt.map { "\(FailureOutput.age($0)) ago" } ?? "–",
        ]
    }

    private func groups(_ outbox: WebOutbox) async throws -> [[String: Any]] {
        let destination = Destination(self.name)
        let (dead, deferred) = try await outbox.withConnection { connection, target in
            let inspector = OutboxInspector(schema: target.schema)
            return (
                try await inspector.failures(
                    ofDeadLetters: DeadLetterFilter(subscription: target.subscription, destination: destination),
                    limit: 20,
                    on: connection),
                try await inspector.failures(
                    ofDeferred: DeferredFilter(subscription: target.subscription, destination: destination), limit: 20,
                    on: connection)
            )
        }
        func group(_ title: String, _ groups: [FailureGroup]) -> [String: Any]? {
            if groups.isEmpty { return nil }
            let rows: [[String: Any]] = groups.map { group in
                [
                    "messages": group.messages.grouped, "reason": group.reason?.rawValue ?? "is tried again",
                    "first": "\(FailureOutput.age(group.firstAt)) ago",
                    "last": "\(FailureOutput.age(group.lastAt)) ago",
                    "error": group.error.plain(500),
                ]
            }
            return ["title": title, "rows": rows]
        }
        return [group("Why messages have died", dead), group("Why messages are tried again", deferred)].compactMap {
            $0
        }
    }
}
