/// The numbers of each key in the order of their delivery: 1, 2, 3 …, going back only to repeat.
struct KeyOrder {
    private var numbers: [String: [Int]] = [:]
    /// The messages' ids, at the same places: for a failure's report.
    private var ids: [String: [Int64]] = [:]

    mutating func note(_ item: DeliveryFile.Item) {
        guard let key = item.key, let number = item.number else { return }
        self.numbers["\(item.destination) \(key)", default: []].append(number)
        self.ids["\(item.destination) \(key)", default: []].append(item.id)
    }

    /// The highest number of each key.
    var lastNumbers: [String: Int] { self.numbers.compactMapValues { $0.max() } }

    /// What came before an earlier one of its key, other than those that are dead.
    func outOfOrder(dead: [String: Set<Int>] = [:]) -> [String] {
        self.numbers.flatMap { key, numbers in
            let dead = dead[key] ?? []
            var findings: [String] = []
            var next = 1
            for (index, number) in numbers.enumerated() {
                while next < number, dead.contains(next) { next += 1 }
                if number > next {
                    let around = (max(index - 4, 0)..<min(index + 12, numbers.count)).map { place in
                        "\(numbers[place]) (id \(self.ids[key]?[place] ?? 0))"
                    }
                    findings.append("\(key): \(number) before \(next), in \(around.joined(separator: ", "))")
                }
                next = max(next, number + 1)
            }
            return findings
        }
    }

    /// How often a repetition has skipped a number that had come before. Two processes that deliver at the same time, one of
    /// which has lost its session and does not know yet, make that; one process does not.
    func skipsInRepetitions(dead: [String: Set<Int>] = [:]) -> Int {
        self.numbers.reduce(0) { sum, entry in
            let dead = dead[entry.key] ?? []
            var last = 0
            var skips = 0
            for number in entry.value {
                var next = last + 1
                while next < number, dead.contains(next) { next += 1 }
                if number > next { skips += 1 }
                last = number
            }
            return sum + skips
        }
    }
}
