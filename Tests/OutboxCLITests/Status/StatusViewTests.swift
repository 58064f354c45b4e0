import Foundation
import Testing

@testable import OutboxCLI
@testable import OutboxPostgres

/// What a person sees of an outbox on a terminal, and what keys do to it.
@Suite(.timeLimit(.minutes(10))) struct StatusViewTests {
    static let start = ContinuousClock.now

    private func view(_ status: OutboxStatus, width: Int = 80, height: Int = 24) -> StatusView {
        var view = StatusView(
            title: "outbox “outbox”, subscription “main”", interval: .seconds(2), size: (width, height))
        view.show(status, at: Self.start)
        return view
    }

    private func lines(_ view: StatusView, after time: Duration = .zero) -> [String] {
        view.lines(at: Self.start + time).map(\.text)
    }

    private func type(_ text: String, in view: inout StatusView) {
        for character in text { _ = view.press(.character(character)) }
    }

    static let thousand = OutboxStatus.sample((0..<1000).map { .sample("destination-\($0)", waiting: $0) })

    @Test func allOfItAt80x24() {
        let status = OutboxStatus.sample([
            .sample("event-bus"), .sample("mail", waiting: 360, oldest: .seconds(6), downFor: .seconds(60)),
        ])
        #expect(
            self.lines(self.view(status)) == [
                "outbox “outbox”, subscription “main”, 2027-01-15T08:00:00Z",
                "relays: 1; 2 streams: 1 down",
                "DESTINATION  STATE       WAITING  OLDEST  PER SECOND  IN FLIGHT  DEFERRED  DEAD",
                "mail         down            360      6s          12          3         0     0",
                "  for 60s: refused",
                "event-bus    delivering        0       -          12          3         0     0",
                "",
                "relay: server process 7, awake",
                "log: 8.0 KiB in 1 segments",
            ] + Array(repeating: "", count: 13) + ["all shown", "q quit  / filter  ? keys"])
    }

    @Test func aThousandDestinationsAreScrolledThrough() {
        var view = self.view(Self.thousand)
        let first = self.lines(view)
        #expect(first[3].hasPrefix("destination-0 ") && first[21].hasPrefix("destination-18 "))
        #expect(first[22] == "0 above, 981 below" && first.count == 24)
        _ = view.press(.pageDown)
        #expect(self.lines(view)[3].hasPrefix("destination-19 ") && self.lines(view)[22] == "19 above, 962 below")
        self.type("j", in: &view)
        _ = view.press(.down)
        #expect(self.lines(view)[22] == "21 above, 960 below")
        self.type("k", in: &view)
        _ = view.press(.up)
        _ = view.press(.pageUp)
        _ = view.press(.pageUp)
        #expect(self.lines(view) == first)
        // What is about all of it stands behind the last row.
        self.type("G", in: &view)
        #expect(self.lines(view)[22] == "984 above, 0 below" && self.lines(view)[21].hasPrefix("log: "))
        let last = self.lines(view)
        self.type("j", in: &view)
        for _ in 0..<100 { _ = view.press(.pageDown) }
        #expect(self.lines(view) == last)
        self.type("k", in: &view)
        #expect(self.lines(view)[22] == "983 above, 0 below, more lines below")
        // Where there is less, one is not left behind it.
        view.show(OutboxStatus.sample([.sample("one")]), at: Self.start)
        #expect(self.lines(view)[3].hasPrefix("one ") && self.lines(view)[22] == "all shown")
        view.show(Self.thousand, at: Self.start)
        self.type("g", in: &view)
        #expect(self.lines(view) == first)
    }

    @Test func theFilterAppliesAsItIsTyped() {
        var view = self.view(Self.thousand)
        self.type("jj", in: &view)
        self.type("/N-99", in: &view)
        // Keys that move are letters now, and case does not matter.
        #expect(self.lines(view)[3].hasPrefix("destination-99 ") && self.lines(view)[14] == "")
        #expect(self.lines(view)[22] == "all shown; 11 of 1,000 with “N-99”" && self.lines(view)[23] == "/N-99▏")
        self.type("9", in: &view)
        #expect(self.lines(view)[22] == "all shown; 1 of 1,000 with “N-999”")
        _ = view.press(.backspace)
        _ = view.press(.enter)
        #expect(self.lines(view)[22] == "all shown; 11 of 1,000 with “N-99”")
        #expect(self.lines(view)[23] == "q quit  / filter  Esc clear  ? keys")
        // What it lets through is seen from its beginning.
        _ = view.press(.escape)
        self.type("G/destination", in: &view)
        #expect(self.lines(view)[22] == "0 above, 981 below; 1,000 of 1,000 with “destination”")
        _ = view.press(.eraseLine)
        self.type("N-99", in: &view)
        _ = view.press(.enter)
        self.type("/q", in: &view)
        #expect(self.lines(view)[22] == "none; 0 of 1,000 with “N-99q”")
        _ = view.press(.escape)
        #expect(!view.isTyping && view.filter.isEmpty && self.lines(view)[22] == "0 above, 981 below")
    }

    @Test func keysEndItAndSayWhatThereIs() {
        var view = self.view(Self.thousand)
        #expect(view.press(.character("?")) == nil)
        #expect(self.lines(view)[23].contains("PgUp") && self.lines(view)[23].count <= 80)
        #expect(view.press(.redraw) == .redraw)
        self.type("/", in: &view)
        #expect(view.press(.character("q")) == nil)
        _ = view.press(.enter)
        #expect(view.press(.character("q")) == .end)
    }

    /// What was seen last stays, with since when it is old and why.
    @Test func whatWasSeenLastStaysWhenTheServerIsGone() {
        var view = self.view(Self.thousand)
        let before = self.lines(view)
        view.lose(StatusView.Loss(reason: "the server\nis gone", next: Self.start + .seconds(14)))
        let after = self.lines(view, after: .seconds(10))
        #expect(after[0].hasSuffix("2027-01-15T08:00:00Z (10s old)"))
        #expect(after[1] == "next attempt in 4s: the server is gone")
        #expect(view.lines(at: Self.start)[1].style == .red)
        #expect(after[2...] == before[2...])
        #expect(self.lines(view, after: .seconds(1))[0].hasSuffix("(1s old)"))
        #expect(self.lines(view, after: .seconds(14))[1] == "trying again: the server is gone")
        view.show(Self.thousand, at: Self.start + .seconds(15))
        #expect(self.lines(view, after: .seconds(15)) == before)
    }

    /// A look that takes long is said to do so before it fails.
    @Test func aPictureThatIsOldSaysSo() {
        let view = self.view(Self.thousand)
        #expect(self.lines(view, after: .seconds(6))[0].hasSuffix("08:00:00Z"))
        #expect(self.lines(view, after: .seconds(7))[0].hasSuffix("08:00:00Z (7s old)"))
    }

    /// Columns are left out for the name of a destination, the least important first.
    @Test func aLongNameTakesThePlaceOfColumns() {
        let status = OutboxStatus.sample([.sample(String(repeating: "n", count: 70), waiting: 1)])
        let titles = self.lines(self.view(status))[2].split(separator: " ")
        #expect(titles == ["DESTINATION", "STATE", "WAITING", "OLDEST", "DEFERRED", "DEAD"])
        let wide = self.lines(self.view(status, width: 200))
        #expect(wide[2].contains("IN FLIGHT") && wide[3].hasPrefix(String(repeating: "n", count: 70) + "  delivering"))
        #expect(self.lines(self.view(status, width: 40))[3].contains("…  delivering"))
    }

    /// Whatever is pressed, comes and changes, in any size: the lines have room, each row is above, below or shown, and none is shown twice.
    @Test func allRowsAreAboveBelowOrShown() {
        var random = SystemRandomNumberGenerator()
        let keys: [Key] = [
            .up, .down, .pageUp, .pageDown, .home, .end, .enter, .escape, .backspace, .eraseLine, .character("j"),
            .character("k"), .character("g"), .character("G"), .character("/"), .character("?"), .character("1"),
            .character("é"),
        ]
        for _ in 0..<60 {
            var view = self.view(OutboxStatus.sample([]))
            var count = 0
            for step in 0..<60 {
                switch Int.random(in: 0..<6, using: &random) {
                case 0: view.size = (Int.random(in: 1...120, using: &random), Int.random(in: 1...40, using: &random))
                case 1:
                    count = Int.random(in: 0...60, using: &random)
                    view.show(
                        OutboxStatus.sample(
                            (0..<count).map {
                                .sample(
                                    "\($0) é\u{1B}[2J\n", downFor: Bool.random(using: &random) ? .seconds(1) : nil,
                                    reason: String(repeating: "r", count: 200))
                            }), at: Self.start)
                case 2: view.lose(StatusView.Loss(reason: "gone", next: Self.start))
                default: _ = view.press(keys.randomElement(using: &random)!)
                }
                let lines = view.lines(at: Self.start)
                let size = view.size
                #expect(lines.count == size.height, "step \(step): \(size)")
                #expect(lines.allSatisfy { $0.text.count <= size.width && !$0.text.contains("\u{1B}") })
                guard size.height >= 8, size.width >= 60 else { continue }
                let shown = lines[3..<(size.height - 2)].filter {
                    $0.text.contains("delivering") || $0.text.contains("  down")
                }
                #expect(Set(shown).count == shown.count)
                let place = lines[size.height - 2].text
                let numbers = place.split(whereSeparator: { " ,;".contains($0) })
                let filter = view.filter.lowercased()
                let matching = (0..<count).count { filter.isEmpty || "\($0) é\u{1B}[2j\n".contains(filter) }
                if place.contains("above") {
                    #expect((Int(numbers[0]) ?? -1) + (Int(numbers[2]) ?? -1) + shown.count == matching, "\(place)")
                } else {
                    #expect(shown.count == matching, "\(place)")
                }
            }
        }
    }
}
