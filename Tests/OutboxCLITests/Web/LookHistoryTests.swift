import Foundation
import Testing

@testable import OutboxCLI

/// The last hour.
@Suite(.timeLimit(.minutes(1))) struct LookHistoryTests {
    private func point(_ seconds: Double, _ waiting: Int) -> LookHistory.Point {
        LookHistory.Point(time: Date(timeIntervalSince1970: seconds), waiting: waiting, deferred: 0, dead: 0, rate: nil)
    }

    @Test func anHourIsKeptHoweverOftenItIsLookedAt() {
        let history = LookHistory()
        for second in stride(from: 0.0, through: 8000, by: 0.5) { history.add(self.point(second, Int(second))) }
        let all = history.all
        #expect(all.count <= Int(LookHistory.span / LookHistory.resolution * 2) + 1)
        #expect(all.last?.waiting == 8000)
        #expect(all.first.map { $0.time.timeIntervalSince1970 >= 8000 - LookHistory.span } == true)
        #expect(zip(all, all.dropFirst()).allSatisfy { $0.time < $1.time })
    }

    @Test func aClockThatIsSetBackBeginsANewHour() {
        let history = LookHistory()
        history.add(self.point(5000, 1))
        history.add(self.point(100, 2))
        #expect(history.all.map(\.waiting) == [2])
    }

    @Test func aLineEndsWhereNothingWasLookedAt() throws {
        let points = [0.0, 5, 10, 500, 505].map { (time: Date(timeIntervalSince1970: $0), value: $0) }
        let chart = LineChart(points: points, end: Date(timeIntervalSince1970: 3600))
        #expect(chart.lines.count == 2 && chart.highest == 505)
        let numbers = chart.lines.joined(separator: " ").split(whereSeparator: { ", ".contains($0) }).compactMap {
            Double($0)
        }
        #expect(numbers.count == 14)
        for (index, number) in numbers.enumerated() {
            #expect(number >= -1 && number <= (index % 2 == 0 ? LineChart.width : LineChart.height))
        }
        #expect(LineChart(points: [], end: Date()).lines.isEmpty)
        #expect(LineChart(points: points, end: Date(timeIntervalSince1970: 9000)).lines.isEmpty)
        #expect(
            LineChart(points: [(Date(timeIntervalSince1970: 0), 0)], end: Date(timeIntervalSince1970: 0)).lines.count
                == 1)
    }

    @Test(arguments: [
        (0, 50, false, false), (0, 100, false, false), (0, 101, false, true), (1, 101, true, false),
        (1, 350, true, true),
    ])
    func aPageLeadsToTheOthers(_ page: Int, _ count: Int, _ hasPrevious: Bool, _ hasNext: Bool) {
        let values = Pager(page: page, size: 100, count: count, hasMore: false).values { "p\($0)" }
        #expect((values?["previous"] as? String) == (hasPrevious ? "p\(page - 1)" : nil))
        #expect((values?["next"] as? String) == (hasNext ? "p\(page + 1)" : nil))
    }
}
