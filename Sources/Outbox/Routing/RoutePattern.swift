/// Which routes a handler inside a destination is for: one route, or a pattern.
///
/// A pattern is made of segments separated by dots. `*` stands for one segment, a final `>` for one or more; an
/// asterisk inside a segment stands for any characters of that segment. `"user.*"` matches `user.created` and not
/// `user.address.changed`; `"user.>"` matches both; `"*"` alone matches every route of one segment, `">"` every route.
public struct RoutePattern: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The pattern as it was written.
    package let text: String

    /// Creates a pattern.
    public init(_ text: String) {
        self.text = text
    }

    /// Creates a pattern.
    public init(stringLiteral text: String) {
        self.init(text)
    }

    /// The pattern as it was written.
    public var description: String { self.text }

    /// Whether the pattern is a route as it stands.
    package var isExact: Bool {
        !self.text.utf8.contains(Self.asterisk) && self.text != ">"
            && !self.text.utf8.suffix(2).elementsEqual(".>".utf8)
    }

    private static let asterisk = UInt8(ascii: "*")

    /// Whether a route matches.
    package func matches(_ route: String) -> Bool {
        if self.isExact { return self.text == route }
        // Not by characters, of which a dot and an accent after it are one.
        let dot = UInt8(ascii: ".")
        let patterns = self.text.utf8.split(separator: dot, omittingEmptySubsequences: false)
        let segments = route.utf8.split(separator: dot, omittingEmptySubsequences: false)
        for (index, pattern) in patterns.enumerated() {
            if pattern.elementsEqual(">".utf8), index == patterns.count - 1 { return segments.count > index }
            guard index < segments.count, Self.matches(segment: segments[index], pattern: pattern) else { return false }
        }
        return segments.count == patterns.count
    }

    /// Wildcard match of one segment: greedy with one place to return to.
    private static func matches(segment: Substring.UTF8View, pattern: Substring.UTF8View) -> Bool {
        let text = Array(segment)
        let pattern = Array(pattern)
        var (t, p) = (0, 0)
        var retry: (t: Int, p: Int)?
        while t < text.count {
            if p < pattern.count, pattern[p] == Self.asterisk {
                retry = (t, p + 1)
                p += 1
            } else if p < pattern.count, pattern[p] == text[t] {
                t += 1
                p += 1
            } else if let last = retry {
                retry = (last.t + 1, last.p)
                (t, p) = (last.t + 1, last.p)
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == Self.asterisk }
    }
}
