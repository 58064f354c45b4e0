/// Rows and columns of text, aligned.
struct Table {
    /// Where a column's text stands.
    enum Alignment { case left, right }

    private let columns: [(title: String, alignment: Alignment)]
    private var rows: [[String]] = []

    init(_ columns: (String, Alignment)...) {
        self.columns = columns.map { (title: $0.0, alignment: $0.1) }
    }

    /// Adds a row: a text for each column.
    mutating func add(_ cells: String...) {
        precondition(cells.count == self.columns.count, "A row has a cell for each column.")
        self.rows.append(cells)
    }

    /// The lines of the table, the titles first.
    var lines: [String] {
        let rows = [self.columns.map(\.title)] + self.rows
        let widths = self.columns.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { cells in
            let padded = cells.indices.map { column in
                let padding = String(repeating: " ", count: widths[column] - cells[column].count)
                return self.columns[column].alignment == .left ? cells[column] + padding : padding + cells[column]
            }
            var text = padded.joined(separator: "  ")
            while text.last == " " { text.removeLast() }
            return text
        }
    }

    /// Prints the table.
    func print() {
        for line in self.lines { Swift.print(line) }
    }
}
