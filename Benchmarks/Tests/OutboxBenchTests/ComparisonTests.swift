import Testing

@testable import OutboxBench

/// What is made of measured values.
@Suite(.timeLimit(.minutes(10))) struct ComparisonTests {
    @Test func theMedianIsTheMiddle() {
        #expect([3.0].median == 3)
        #expect([9.0, 1, 5].median == 5)
        #expect([4.0, 1, 3, 2].median == 2.5)
        #expect([Double]().median.isNaN)
    }

    @Test func aPercentileIsAValueThatWasThere() {
        let values = (1...100).map(Double.init).shuffled()
        #expect(values.percentile(0.5) == 50)
        #expect(values.percentile(0.99) == 99)
        #expect(values.percentile(1) == 100)
        #expect(values.percentile(0) == 1)
        #expect([7.0].percentile(0.99) == 7)
        #expect([Double]().percentile(0.5).isNaN)
    }

    /// A pair that was slow as a whole changes nothing.
    @Test func theRatioIsTheMedianOfThePairs() {
        let comparison = self.comparison([90, 10, 100], [100, 10, 50], .none)
        #expect(comparison.ratios == [0.9, 1, 2])
        #expect(comparison.ratio == 1)
        #expect(comparison.isMet == nil)
    }

    @Test func aGoalIsMetOrNot() {
        #expect(self.comparison([80], [100], .ratioAtLeast(0.8)).isMet == true)
        #expect(self.comparison([79], [100], .ratioAtLeast(0.8)).isMet == false)
        #expect(self.comparison([150], [100], .ratioAtMost(1.5)).isMet == true)
        #expect(self.comparison([151], [100], .ratioAtMost(1.5)).isMet == false)
        #expect(self.comparison([100, 99, 300], [1, 1, 1], .valueAtMost(100)).isMet == true)
        #expect(self.comparison([101], [1000], .valueAtMost(100)).isMet == false)
        #expect(self.comparison([], [], .ratioAtLeast(0)).isMet == false, "what was not measured is not met")
    }

    @Test func subjectsTakeTurns() async throws {
        let harness = Harness(server: BenchServer("postgresql://nowhere"), runs: 2)
        var calls: [String] = []
        let samples = try await harness.rounds(
            "test",
            [
                { () -> Int in
                    calls.append("a")
                    return calls.count
                },
                { () -> Int in
                    calls.append("b")
                    return calls.count
                },
            ])
        #expect(calls == ["a", "b", "b", "a", "a", "b"])
        #expect(samples == [[4, 5], [3, 6]], "the first round does not count")
    }

    private func comparison(_ values: [Double], _ others: [Double], _ goal: Comparison.Goal) -> Comparison {
        Comparison("a", reference: "b", unit: "s", goal: goal, values: values, referenceValues: others)
    }
}

/// How numbers are written.
@Suite(.timeLimit(.minutes(10))) struct FigureTests {
    @Test(arguments: [
        (1234567.4, "1,234,567"), (100, "100"), (99.94, "99.9"), (12.34, "12.3"), (1.234, "1.23"), (0.1234, "0.123"),
        (0.01234, "0.0123"), (0, "0"), (-1500, "-1,500"), (-0.5, "-0.500"), (.nan, "–"), (.infinity, "–"),
    ])
    func threeDigitsCount(value: Double, text: String) {
        #expect(Figure.text(value) == text)
    }

    @Test(arguments: [
        (1.005, 1, "1.0"), (1.96, 1, "2.0"), (1234.5, 2, "1,234.50"), (0.04, 2, "0.04"), (2.5, 0, "3"),
        (-0.001, 2, "0.00"),
    ])
    func digitsAfterThePoint(value: Double, digits: Int, text: String) {
        #expect(Figure.fixed(value, digits: digits) == text)
    }

    @Test func ratios() {
        #expect(Figure.ratio(0.8) == "0.80 ×")
        #expect(Figure.ratio(0.005) == "0.00500 ×")
    }

    @Test func numbersWithCommas() {
        #expect(NumberList(argument: "1,8,32")?.numbers == [1, 8, 32])
        #expect(NumberList(argument: "5")?.numbers == [5])
        #expect(NumberList(argument: "5,") == nil, "a comma with nothing after it")
        #expect(NumberList(argument: "a") == nil)
    }
}
