/// Rows and columns of text, aligned.
struct Table {
    /// Where a column's text stands.
    enum Alignment { case left, right }

    private static let widest = 60

    private let columns: [(title: String, alignment: Alignment)]
    private var rows: [[String]] = []
    private var styles: [Terminal.Style?] = []

    init(_ columns: (String, Alignment)...) {
        self.init(columns)
    }

    init(_ columns: [(String, Alignment)]) {
        self.columns = columns.map { (title: $0.0, alignment: $0.1) }
    }

    /// Adds a row: a text for each column, of which as much is shown as leaves room for others.
    mutating func add(_ cells: String...) {
        self.add(cells)
    }

    /// Adds a row; see the other.
    ///
    /// - Parameter style: How it looks on a terminal.
    mutating func add(_ cells: [String], style: Terminal.Style? = nil) {
        precondition(cells.count == self.columns.count, "A row has a cell for each column.")
        self.rows.append(cells.map { $0.plain(Self.widest) })
        self.styles.append(style)
    }

    /// The lines of the table, the titles first.
    func lines(on terminal: Terminal) -> [String] {
        let widths = self.columns.indices.map { column in
            self.rows.map { $0[column].count }.reduce(self.columns[column].title.count, max)
        }
        func line(_ cells: [String]) -> String {
            let padded = cells.indices.map { column in
                let padding = String(repeating: " ", count: widths[column] - cells[column].count)
                return self.columns[column].alignment == .left ? cells[column] + padding : padding + cells[column]
            }
            var text = padded.joined(separator: "  ")
            while text.last == " " { text.removeLast() }
            return text
        }
        return [terminal.styled(line(self.columns.map(\.title)), .bold)]
            + zip(self.rows, self.styles).map { row, style in style.map { terminal.styled(line(row), $0) } ?? line(row)
            }
    }

    /// Prints the table.
    func print(on terminal: Terminal = .output) {
        for line in self.lines(on: terminal) { terminal.print(line) }
    }
}
