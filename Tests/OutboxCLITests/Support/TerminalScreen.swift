/// What a terminal shows: the sequences that the program writes, and no others, done as ECMA-48 and xterm do them.
struct TerminalScreen {
    private(set) var width: Int
    private(set) var height: Int
    private var cells: [[Character]]
    private var row = 0
    private var column = 0
    private var pending: [UInt8] = []
    private(set) var wrapsLines = true
    private(set) var hasCursor = true
    /// What it shows when the other screen is left; nil: it does not show that one.
    private var saved: (cells: [[Character]], row: Int, column: Int)?
    /// How many characters had no room on their line of the other screen since it was erased: a program may draw before it knows of another size.
    private(set) var overflow = 0
    /// What it does not know.
    private(set) var unknown: [String] = []
    /// All that came.
    private(set) var bytes: [UInt8] = []

    init(width: Int, height: Int) {
        self.width = width
        self.height = height
        self.cells = Self.blank(width, height)
    }

    private static func blank(_ width: Int, _ height: Int) -> [[Character]] {
        Array(repeating: Array(repeating: " ", count: width), count: height)
    }

    /// Whether it is the other screen, which has its own content.
    var isAlternate: Bool { self.saved != nil }

    /// The lines from the top, without the blanks at their ends.
    var lines: [String] {
        self.cells.map { line in
            var text = String(line)
            while text.last == " " { text.removeLast() }
            return text
        }
    }

    mutating func resize(width: Int, height: Int) {
        (self.width, self.height) = (width, height)
        self.cells = Self.blank(width, height)
        (self.row, self.column) = (0, 0)
        if self.saved != nil { self.saved = (self.cells, 0, 0) }
    }

    mutating func write(_ text: String) { self.write(Array(text.utf8)) }

    mutating func write(_ bytes: [UInt8]) {
        self.bytes += bytes
        self.pending += bytes
        while let length = self.step() { self.pending.removeFirst(length) }
    }

    /// Does what comes first.
    ///
    /// - Returns: How many bytes that was; nil: more have to come.
    private mutating func step() -> Int? {
        guard let first = self.pending.first else { return nil }
        switch first {
        case 0x1B: return self.sequence()
        case UInt8(ascii: "\r"):
            self.column = 0
            return 1
        case UInt8(ascii: "\n"):
            self.lineFeed()
            return 1
        case 0x07, 0x08: return 1
        default:
            let length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
            guard self.pending.count >= length else { return nil }
            self.put(String(decoding: self.pending.prefix(length), as: UTF8.self))
            return length
        }
    }

    private mutating func put(_ text: String) {
        for character in text {
            if self.column >= self.width {
                if self.isAlternate { self.overflow += 1 }
                if self.wrapsLines {
                    self.column = 0
                    self.lineFeed()
                } else {
                    self.column = self.width - 1
                }
            }
            self.cells[self.row][self.column] = character
            self.column += 1
        }
    }

    private mutating func lineFeed() {
        if self.row < self.height - 1 {
            self.row += 1
            return
        }
        self.cells.removeFirst()
        self.cells.append(Array(repeating: " ", count: self.width))
    }

    private mutating func sequence() -> Int? {
        guard self.pending.count > 1 else { return nil }
        guard self.pending[1] == UInt8(ascii: "[") else {
            self.unknown.append(String(decoding: self.pending.prefix(2), as: UTF8.self))
            return 2
        }
        guard let end = self.pending.dropFirst(2).firstIndex(where: { 0x40...0x7E ~= $0 }) else { return nil }
        self.control(
            String(decoding: self.pending[2..<end], as: UTF8.self), Character(UnicodeScalar(self.pending[end])))
        return end + 1
    }

    private mutating func control(_ parameters: String, _ final: Character) {
        let numbers = parameters.split(separator: ";", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
        switch (parameters, final) {
        case (_, "m"): break
        case (_, "H"):
            self.row = min(max(numbers[0], 1), self.height) - 1
            self.column = min(max(numbers.count > 1 ? numbers[1] : 1, 1), self.width) - 1
        case ("2", "J"):
            self.cells = Self.blank(self.width, self.height)
            self.overflow = 0
        case ("", "J"):
            self.erase(from: min(self.column, self.width - 1))
            for row in self.cells.indices.dropFirst(self.row + 1) {
                self.cells[row] = Array(repeating: " ", count: self.width)
            }
        case ("2", "K"): self.erase(from: 0)
        case ("", "K"): self.erase(from: min(self.column, self.width - 1))
        case ("?7", "h"), ("?7", "l"): self.wrapsLines = final == "h"
        case ("?25", "h"), ("?25", "l"): self.hasCursor = final == "h"
        case ("?1049", "h"):
            if self.saved == nil { self.saved = (self.cells, self.row, self.column) }
            self.cells = Self.blank(self.width, self.height)
        case ("?1049", "l"):
            if let saved { (self.cells, self.row, self.column) = saved }
            self.saved = nil
        default: self.unknown.append(parameters + String(final))
        }
    }

    private mutating func erase(from column: Int) {
        for index in self.cells[self.row].indices.dropFirst(column) { self.cells[self.row][index] = " " }
    }
}
