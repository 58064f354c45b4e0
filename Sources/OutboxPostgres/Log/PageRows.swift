/// Which rows of a query's result are a page: some that follow each other, or single ones, where several streams share a result.
struct PageRows: RandomAccessCollection {
    private let first: Int
    /// The rows, where they do not follow each other.
    private let single: [Int]
    let endIndex: Int

    var startIndex: Int { 0 }

    init(_ rows: Range<Int>) {
        self.first = rows.lowerBound
        self.single = []
        self.endIndex = rows.count
    }

    init(_ rows: [Int]) {
        self.first = 0
        self.single = rows
        self.endIndex = rows.count
    }

    subscript(position: Int) -> Int {
        self.single.isEmpty ? self.first + position : self.single[position]
    }

    /// The rows before a position, and the others.
    func split(at position: Int) -> (PageRows, PageRows) {
        if self.single.isEmpty {
            let middle = self.first + position
            return (PageRows(self.first..<middle), PageRows(middle..<(self.first + self.endIndex)))
        }
        return (PageRows(Array(self.single[..<position])), PageRows(Array(self.single[position...])))
    }
}
