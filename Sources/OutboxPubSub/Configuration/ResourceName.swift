/// How Google names projects and topics (https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names).
enum ResourceName {
    /// The topic as requests name it.
    static func topic(_ topic: String, project: String) -> String { "projects/\(project)/topics/\(topic)" }

    /// What is wrong with a topic's name; nil: nothing.
    static func defect(ofTopic name: String) -> String? {
        guard let first = name.utf8.first else { return "the topic’s name is empty" }
        if !(3...255).contains(name.utf8.count) { return "a topic’s name has from 3 to 255 characters" }
        if !Self.isLetter(first) { return "a topic’s name begins with a letter" }
        if name.lowercased().hasPrefix("goog") { return "a topic’s name does not begin with “goog”" }
        let isGood = name.utf8.allSatisfy { Self.isLetter($0) || Self.isDigit($0) || "-_.~+%".utf8.contains($0) }
        return isGood ? nil : "a topic’s name has only letters, digits, “-”, “_”, “.”, “~”, “+” and “%”"
    }

    /// What is wrong with a project's id; nil: nothing. The domain of an organisation may stand before it, and a colon.
    static func defect(ofProject id: String) -> String? {
        let name = id.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).last ?? ""
        let domain = id.dropLast(name.count)
        let isGood =
            (1...63).contains(name.utf8.count)
            && name.utf8.allSatisfy { Self.isSmallLetter($0) || Self.isDigit($0) || $0 == UInt8(ascii: "-") }
            && domain.utf8.allSatisfy { Self.isSmallLetter($0) || Self.isDigit($0) || ".-:".utf8.contains($0) }
        return isGood ? nil : "a project’s id has only small letters, digits and “-”"
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        Self.isSmallLetter(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }

    private static func isSmallLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
