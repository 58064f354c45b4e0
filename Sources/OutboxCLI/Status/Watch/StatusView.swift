import Outbox
import OutboxPostgres
import OutboxRuntime

/// What a person sees of an outbox on a terminal, and what keys do to it. It knows no terminal and no clock.
struct StatusView {
    /// Why there is nothing newer than what is shown.
    struct Loss: Sendable, Hashable {
        /// What went wrong with the last look.
        var reason: String
        /// When the next one begins.
        var next: ContinuousClock.Instant
    }

    /// What a key asks for that is not a matter of the view.
    enum Request {
        /// To end.
        case end
        /// To draw all of it again.
        case redraw
    }

    /// Which outbox it is.
    private let title: String
    /// How often there should be something new.
    private let interval: Duration
    /// How many characters a line has, and how many lines there are.
    var size: (width: Int, height: Int) {
        didSet {
            self.layOut()
            self.clamp()
        }
    }

    private var status: OutboxStatus?
    private var rows: [StatusRow] = []
    /// How many rows the filter lets through.
    private var matching = 0
    /// The titles of the table, and the lines between head and foot.
    private var titles = ""
    private var body: [BodyLine] = []
    private var takenAt: ContinuousClock.Instant?
    private var loss: Loss?

    private(set) var filter = ""
    /// Whether the filter is being typed.
    private(set) var isTyping = false
    private var hasHelp = false
    /// How many lines are above those that are shown.
    private(set) var offset = 0

    private static let longestFilter = 60

    init(title: String, interval: Duration, size: (width: Int, height: Int)) {
        self.title = title
        self.interval = interval
        self.size = size
    }

    /// Shows a status that has just been taken.
    mutating func show(_ status: OutboxStatus, at now: ContinuousClock.Instant) {
        self.status = status
        self.rows = StatusRow.rows(status)
        self.takenAt = now
        self.loss = nil
        self.layOut()
        self.clamp()
    }

    /// Goes on to show what there is, and says why it is old.
    mutating func lose(_ loss: Loss) { self.loss = loss }

    // MARK: - Keys

    /// Does what a key says.
    mutating func press(_ key: Key) -> Request? {
        defer { self.clamp() }
        switch key {
        case .up: self.offset -= 1
        case .down: self.offset += 1
        case .pageUp: self.offset -= self.pageHeight
        case .pageDown: self.offset += self.pageHeight
        case .home: self.offset = 0
        case .end: self.offset = .max
        case .redraw: return .redraw
        case .enter: self.isTyping = false
        case .escape:
            self.isTyping = false
            self.search("")
        case .backspace where self.isTyping: self.search(String(self.filter.dropLast()))
        case .eraseLine where self.isTyping: self.search("")
        case .character(let character) where self.isTyping:
            if self.filter.count < Self.longestFilter { self.search(self.filter + String(character)) }
        case .character("q"): return .end
        case .character("/"): self.isTyping = true
        case .character("?"): self.hasHelp.toggle()
        case .character("k"): self.offset -= 1
        case .character("j"): self.offset += 1
        case .character("g"): self.offset = 0
        case .character("G"): self.offset = .max
        case .character, .backspace, .eraseLine: break
        }
        return nil
    }

    private mutating func search(_ text: String) {
        if text == self.filter { return }
        self.filter = text
        self.offset = 0
        self.layOut()
    }

    private mutating func clamp() {
        self.offset = max(min(self.offset, self.body.count - self.pageHeight), 0)
    }

    // MARK: - Lines

    /// A line between head and foot.
    private struct BodyLine {
        var line: ScreenLine
        /// Whether it is the row of a stream.
        var isRow = false
    }

    private var hasRoom: Bool { self.size.height >= 8 }
    private var headHeight: Int { self.hasRoom ? 3 : self.size.height >= 4 ? 1 : 0 }
    private var footHeight: Int { self.hasRoom ? 2 : self.size.height >= 2 ? 1 : 0 }
    private var pageHeight: Int { max(self.size.height - self.headHeight - self.footHeight, 1) }

    /// Makes the lines between head and foot, after something that they depend on has changed.
    private mutating func layOut() {
        let table = StatusTable(self.rows, width: self.size.width)
        self.titles = table.titles
        self.body = []
        let filter = self.filter.lowercased()
        let rows = filter.isEmpty ? self.rows : self.rows.filter { $0.title.lowercased().contains(filter) }
        self.matching = rows.count
        for row in rows {
            self.body.append(BodyLine(line: ScreenLine(table.line(row), row.urgency.style), isRow: true))
            if let outage = row.outage {
                let reason = "  for \(outage.time.short): \(outage.reason.plain(300))"
                self.body.append(BodyLine(line: ScreenLine(reason, .red)))
            }
        }
        if let status, filter.isEmpty {
            let about = [ScreenLine("")] + StatusOutput.relays(status) + [StatusOutput.log(status)]
            self.body += about.map { BodyLine(line: $0) }
        }
    }

    /// The screen: as many lines as it has, none longer than it is wide.
    func lines(at now: ContinuousClock.Instant) -> [ScreenLine] {
        let page = self.body.dropFirst(self.offset).prefix(self.pageHeight)
        let head = [
            self.titleLine(at: now), self.summary(at: now),
            ScreenLine(self.titles, .bold),
        ]
        let above = self.body.prefix(self.offset)
        let below = self.body.dropFirst(self.offset + page.count)
        let foot = [
            self.position(
                above: above.count(where: \.isRow), below: below.count(where: \.isRow), hasLinesBelow: !below.isEmpty),
            self.prompt,
        ]
        let empty = Array(repeating: ScreenLine(""), count: self.pageHeight - page.count)
        let lines =
            head.prefix(self.headHeight) + page.map(\.line) + empty
            // The one line of a low screen: what is typed, or else where one is.
            + (self.footHeight == 1 ? [self.isTyping ? foot[1] : foot[0]] : foot.prefix(self.footHeight))
        return lines.prefix(max(self.size.height, 1)).map { $0.cut(to: self.size.width) }
    }

    private func titleLine(at now: ContinuousClock.Instant) -> ScreenLine {
        guard let status, let takenAt else { return ScreenLine(self.title, .cyan) }
        let age = now - takenAt
        let isOld = self.loss != nil || age > max(self.interval * 3, .seconds(5))
        let time = RFC3339.text(status.takenAt).prefix(19) + "Z" + (isOld ? " (\(Self.whole(age)) old)" : "")
        let room = max(self.size.width - time.count - 2, 10)
        return ScreenLine("\(Screen.cut(self.title, to: room)), \(time)", isOld ? .yellow : .cyan)
    }

    private func summary(at now: ContinuousClock.Instant) -> ScreenLine {
        guard let status else { return ScreenLine("") }
        if let loss {
            let next = loss.next - now
            let again = next >= .seconds(1) ? "next attempt in \(Self.whole(next))" : "trying again"
            return ScreenLine("\(again): \(loss.reason.plain(300))", .red)
        }
        let working = status.workingRelays.count
        let standby = status.relays.count - working
        let troubles: [(Urgency, String)] = [
            (.notServed, "not delivered"), (.down, "down"), (.paused, "paused"), (.dead, "with dead letters"),
        ]
        let counts = troubles.compactMap { urgency, text in
            let count = self.rows.count { $0.urgency == urgency }
            return count > 0 ? "\(count.grouped) \(text)" : nil
        }
        let relays = working == 0 ? "no relay is working" : "relays: \(working.grouped)"
        let streams =
            "\(self.rows.count.grouped) \(self.rows.count == 1 ? "stream" : "streams")"
            + (counts.isEmpty ? "" : ": " + counts.joined(separator: ", "))
        return ScreenLine(
            "\(relays)\(standby > 0 ? ", \(standby.grouped) on standby" : ""); \(streams)",
            working == 0 ? .yellow : nil)
    }

    private func position(above: Int, below: Int, hasLinesBelow: Bool) -> ScreenLine {
        let place =
            above + below > 0
            ? "\(above.grouped) above, \(below.grouped) below" : self.matching == 0 ? "none" : "all shown"
        let more = below == 0 && hasLinesBelow ? ", more lines below" : ""
        let filter =
            self.filter.isEmpty
            ? "" : "; \(self.matching.grouped) of \(self.rows.count.grouped) with “\(self.filter.plain(40))”"
        return ScreenLine(place + more + filter, .faint)
    }

    private var prompt: ScreenLine {
        if self.isTyping { return ScreenLine("/\(self.filter.plain())▏", .bold) }
        if self.hasHelp {
            return ScreenLine("q quit  / filter  Esc clear  ↑ ↓ j k line  PgUp PgDn page  g G ends  ? less", .faint)
        }
        return ScreenLine("q quit  / filter\(self.filter.isEmpty ? "" : "  Esc clear")  ? keys", .faint)
    }

    /// A time that changes once a second, as it is read by a person.
    private static func whole(_ duration: Duration) -> String {
        Duration.seconds(max(duration.components.seconds, 0)).short
    }
}
