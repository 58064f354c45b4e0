/// A queue, by its name or its URL.
struct SQSQueue: Sendable, Hashable {
    let name: String
    /// Nil: it has to be looked up.
    let url: String?
    let isFIFO: Bool

    /// What messages for it are kept together by.
    var target: String { self.url ?? self.name }

    /// - Throws: Why it can be none.
    init(_ text: String) throws(MessageRefusal) {
        let isURL = text.hasPrefix("https://") || text.hasPrefix("http://")
        self.url = isURL ? text : nil
        self.name =
            isURL ? text.split(separator: "/", omittingEmptySubsequences: false).last.map(String.init) ?? "" : text
        self.isFIFO = self.name.hasSuffix(".fifo")
        var stem = self.name[...]
        if self.isFIFO { stem = stem.dropLast(".fifo".count) }
        guard !stem.isEmpty, self.name.utf8.count <= 80, stem.utf8.allSatisfy(Self.isNameByte) else {
            throw MessageRefusal("“\(self.name.prefix(100))” is no queue: \(Self.rule)", isOfTarget: true)
        }
    }

    /// What a name is.
    static let rule = "a name is 1 to 80 letters, digits, hyphens and underscores, and may end with .fifo"

    static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
