/// The text of `~/.aws/config` or `~/.aws/credentials`: profiles with values.
///
/// https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
struct ProfileFile: Sendable, Hashable {
    /// In the configuration all profiles but `default` are sections named `profile NAME`.
    enum Kind: Sendable { case configuration, credentials }

    /// By name, values by key in small letters.
    private(set) var profiles: [String: [String: String]] = [:]

    /// Reads a text. Lines that are none of its format, and sections of other kinds, are passed over.
    init(_ text: String, kind: Kind) {
        var profile: String?
        for line in text.split(whereSeparator: \.isNewline) {
            // A line that is indented belongs to the value above it, which is a group of settings of a service.
            if line.first == " " || line.first == "\t" { continue }
            let line = Self.trimmed(Self.withoutComment(line))
            if line.isEmpty || line.first == "#" || line.first == ";" { continue }
            if line.first == "[" {
                profile = Self.name(ofSection: line, kind)
                if let profile, self.profiles[profile] == nil { self.profiles[profile] = [:] }
                continue
            }
            guard let profile, let mark = line.firstIndex(of: "=") else { continue }
            let key = Self.trimmed(line[..<mark]).lowercased()
            self.profiles[profile]?[key] = String(Self.trimmed(line[line.index(after: mark)...]))
        }
    }

    private static func name(ofSection line: Substring, _ kind: Kind) -> String? {
        guard let end = line.firstIndex(of: "]") else { return nil }
        let words = line[line.index(after: line.startIndex)..<end].split { $0 == " " || $0 == "\t" }
        if words.count == 1, kind == .credentials || words[0] == "default" { return String(words[0]) }
        if words.count == 2, words[0] == "profile", kind == .configuration { return String(words[1]) }
        return nil
    }

    /// A comment at the end of a line begins with a space and its mark.
    private static func withoutComment(_ line: Substring) -> Substring {
        for mark in [" #", " ;", "\t#", "\t;"] {
            if let range = line.firstRange(of: mark) { return line[..<range.lowerBound] }
        }
        return line
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop { $0 == " " || $0 == "\t" }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }
}
