import OutboxPostgres
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// All destinations: how the outbox is, and how it was within the last hour.
struct OverviewView {
    /// How many destinations are on a page.
    static let pageSize = 100

    let look: DatabaseLook
    let history: [LookHistory.Point]
    /// What the names have in them; nil: anything.
    let search: String?
    /// From 0.
    let page: Int

    /// What the part of the page shows that changes while it is open.
    var values: [String: Any] {
        guard let figures = self.look.figures, let status = self.look.status else {
            return ["failure": self.look.failure ?? "it has not been looked at yet"]
        }
        let all = figures.destinations
        let text = self.search?.lowercased() ?? ""
        let found = all.filter { text.isEmpty || $0.name.lowercased().contains(text) }
            .sorted {
                ($0.urgency, -($0.longest?.inSeconds ?? 0), $0.name) < (
                    $1.urgency, -($1.longest?.inSeconds ?? 0), $1.name
                )
            }
        let shown = found.dropFirst(self.page * Self.pageSize).prefix(Self.pageSize)
        var values: [String: Any] = [
            "figures": self.figures(figures, status), "troubles": self.troubles(figures, status),
            "charts": self.charts(at: Date()), "rows": shown.map(self.row),
            "isEmpty": shown.isEmpty,
            "caption": "Destinations: \(found.count.grouped)" + (self.search == nil ? "" : " of \(all.count.grouped)"),
            "empty": all.isEmpty ? "Nothing was enqueued yet." : "There is no such destination.",
            "taken": """
            Looked at \(RFC3339.text(status.takenAt).prefix(19))Z; it took \(self.look.time.short). Messages of a stream are counted up to \
            \(self.look.countLimit.grouped).
            """,
        ]
        if let pager = Pager(page: self.page, size: Self.pageSize, count: found.count, hasMore: false).values({ page in
            "./?\(self.fields(page: page).text)"
        }) {
            values["pager"] = pager
        }
        return values
    }

    /// The fields of the query by which the page is asked for.
    func fields(page: Int) -> FormFields {
        var fields = FormFields()
        fields.add("q", self.search)
        if page > 0 { fields.add("page", String(page)) }
        return fields
    }

    private func figures(_ figures: DatabaseFigures, _ status: OutboxStatus) -> [[String: Any]] {
        let point = LookHistory.Point(figures, at: status.takenAt)
        let oldest = figures.destinations.compactMap(\.longest).max()
        let mark = figures.destinations.allSatisfy(\.isExact) ? "" : "≥ "
        func figure(_ name: String, _ value: String, isBad: Bool = false) -> [String: Any] {
            ["name": name, "value": value, "kind": isBad ? "bad" : "plain"]
        }
        return [
            figure("Waiting", mark + point.waiting.grouped),
            figure("Oldest", oldest?.short ?? "–", isBad: (oldest ?? .zero) > .seconds(60)),
            figure("Delivered per second", point.rate.map { Int($0.rounded()).grouped } ?? "–"),
            figure("Deferred", mark + point.deferred.grouped),
            figure("Dead letters", mark + point.dead.grouped, isBad: point.dead > 0),
            figure(
                "Relays",
                "\(figures.deliveringRelays)" + (figures.standbyRelays > 0 ? " + \(figures.standbyRelays)" : ""),
                isBad: figures.deliveringRelays == 0),
            figure("Log", StatusOutput.size(figures.logBytes)),
        ]
    }

    /// What an operator has to know first.
    private func troubles(_ figures: DatabaseFigures, _ status: OutboxStatus) -> [String] {
        var troubles: [String] = []
        if figures.deliveringRelays == 0 { troubles.append("No relay is working: nothing is delivered.") }
        func names(_ states: [OutboxStatus.State]) -> [String] {
            figures.destinations.filter { states.contains($0.state) && $0.urgency < .dead }.map { $0.name.plain(60) }
                .sorted()
        }
        func sentence(_ states: [OutboxStatus.State], _ text: (String, Bool) -> String) {
            let names = names(states)
            if names.isEmpty { return }
            let shown =
                names.prefix(5).joined(separator: ", ")
                + (names.count > 5 ? " and \((names.count - 5).grouped) more" : "")
            troubles.append(text(shown, names.count == 1))
        }
        sentence([.down]) { "\($0) \($1 ? "is" : "are") down: messages wait until a probe is taken." }
        sentence([.neverServed, .notServed]) { names, _ in "No relay that runs has a route for \(names): messages wait."
        }
        sentence([.paused]) { "\($0) \($1 ? "is" : "are") paused: messages wait until an operator resumes." }
        return troubles
    }

    private func charts(at end: Date) -> [[String: Any]] {
        func chart(_ title: String, _ unit: String, _ value: (LookHistory.Point) -> Double?) -> [String: Any] {
            let points = self.history.compactMap { point in value(point).map { (time: point.time, value: $0) } }
            let chart = LineChart(points: points, end: end)
            let scale =
                points.isEmpty ? "nothing is known yet" : "up to \(Int(chart.highest.rounded(.up)).grouped) \(unit)"
            return [
                "title": title, "scale": scale, "lines": chart.lines, "quarters": ["150", "300", "450"],
                "description": "\(title) within the last hour: \(scale)"
                    + (points.last.map { ", now \(Int($0.value.rounded()).grouped)" } ?? ""),
            ]
        }
        return [
            chart("Messages that wait (fewer is better)", "messages") { Double($0.waiting) },
            chart("Delivered per second", "messages a second", \.rate),
            chart("Deferred messages (fewer is better)", "messages") { Double($0.deferred) },
        ]
    }

    /// A name, with marks where nothing of it would be seen.
    private static func shown(_ name: String) -> String {
        let isSeen = name.unicodeScalars.contains { $0.properties.isAlphabetic || $0.properties.numericType != nil }
        return isSeen ? name.plain(80) : "“\(name.plain(80))”"
    }

    private func row(_ destination: DestinationFigures) -> [String: Any] {
        let mark = destination.isExact ? "" : "≥ "
        var fields = FormFields()
        fields.add("name", destination.name)
        var filter = FormFields()
        filter.add("destination", destination.name)
        var row: [String: Any] = [
            "name": Self.shown(destination.name), "href": "destination?\(fields.text)",
            "state": destination.state.rawValue,
            "kind": StateStyle.kind(destination.state, isQuiet: destination.urgency >= .dead),
            "waiting": mark + destination.waiting.grouped, "oldest": destination.longest?.short ?? "–",
            "rate": destination.rate.map { Int($0.rounded()).grouped } ?? "–",
            "inFlight": destination.inFlight?.grouped ?? "–", "deferred": mark + destination.deferred.grouped,
            "dead": mark + destination.dead.grouped, "hasDead": destination.dead > 0,
            "deadHref": "dead-letters?\(filter.text)",
        ]
        if let outage = destination.outage { row["reason"] = "for \(outage.time.short): \(outage.reason.plain(200))" }
        return row
    }
}

extension DestinationFigures {
    /// For how long the oldest message waits that should have been delivered, in the log or for a further attempt.
    var longest: Duration? { [self.oldest, self.oldestDeferred].compactMap { $0 }.max() }
}

/// How states look.
enum StateStyle {
    /// - Parameter isQuiet: Whether nothing waits.
    static func kind(_ state: OutboxStatus.State, isQuiet: Bool) -> String {
        switch state {
        case .delivering: "good"
        case .paused: "warn"
        case .down: "bad"
        case .neverServed, .notServed: isQuiet ? "warn" : "bad"
        }
    }
}

/// One page of many.
struct Pager {
    /// From 0.
    let page: Int
    let size: Int
    /// How many there are on all; nil: unknown.
    let count: Int?
    /// Whether another page follows, where the count is unknown.
    let hasMore: Bool

    /// What a template shows; nil: one page is all.
    ///
    /// - Parameter href: Where a page is.
    func values(_ href: (Int) -> String) -> [String: Any]? {
        let hasNext = self.count.map { (self.page + 1) * self.size < $0 } ?? self.hasMore
        if self.page == 0, !hasNext { return nil }
        let first = self.page * self.size + 1
        let last = min(first + self.size - 1, self.count ?? .max)
        var values: [String: Any] = [
            "range": self.count.map { "\(first.grouped) to \(last.grouped) of \($0.grouped)" }
                ?? "from \(first.grouped) on"
        ]
        if self.page > 0 { values["previous"] = href(self.page - 1) }
        if hasNext { values["next"] = href(self.page + 1) }
        return values
    }
}
