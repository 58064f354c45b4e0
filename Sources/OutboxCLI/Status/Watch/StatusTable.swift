/// The table of streams in a width that it does not exceed.
struct StatusTable {
    private let columns: [(column: StatusRow.Column, width: Int)]

    /// What a destination's name has room for, if it needs as much, before columns are left out for it.
    private static let destinationWidth = 24
    /// The columns that can be missed, in this order.
    private static let leftOut: [StatusRow.Column] = [.inFlight, .rate, .deferred, .oldest, .waiting, .dead]
    private static let gap = 2

    /// - Parameters:
    ///   - rows: All rows, also those that are not shown: columns keep their places while one scrolls.
    ///   - width: How many characters a line has.
    init(_ rows: [StatusRow], width: Int) {
        var widths: [StatusRow.Column: Int] = [:]
        for column in StatusRow.Column.allCases {
            // What is usual always has room, so that columns stay where they are when it is there: “not served”.
            let least = column == .state ? 10 : column.title.count
            widths[column] = rows.lazy.map { $0.text(column).count }.reduce(least, max)
        }
        let longest = widths[.destination] ?? 0
        var columns = StatusRow.Column.allCases
        func room() -> Int {
            width - columns.dropFirst().map { (widths[$0] ?? 0) + Self.gap }.reduce(0, +)
        }
        for column in Self.leftOut where room() < min(longest, Self.destinationWidth) {
            columns.removeAll { $0 == column }
        }
        widths[.destination] = max(min(longest, room()), 1)
        self.columns = columns.map { ($0, widths[$0] ?? 0) }
    }

    /// The line with the titles.
    var titles: String { self.line { $0.title } }

    /// The line of a row.
    func line(_ row: StatusRow) -> String { self.line(row.text) }

    private func line(_ text: (StatusRow.Column) -> String) -> String {
        var line = self.columns.map { column, width in
            let text = Screen.cut(text(column), to: width)
            let padding = String(repeating: " ", count: max(width - text.count, 0))
            return column.alignment == .left ? text + padding : padding + text
        }
        .joined(separator: String(repeating: " ", count: Self.gap))
        while line.last == " " { line.removeLast() }
        return line
    }
}
