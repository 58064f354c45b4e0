/// The header `Accept` (RFC 9110, section 12.5.1): which media types a client takes, and how gladly.
package struct AcceptHeader: Sendable {
    /// How gladly a type is taken, and by what.
    struct Quality: Sendable, Hashable {
        /// 0: not at all, 1: best.
        var value: Double
        /// How narrow the range is that says so: 0 for none, 1 for `*/*`, 2 for `text/*`, 3 for `text/plain`, 4 with its version.
        var rank: Int

        /// Whether the type was named.
        var isExact: Bool { self.rank >= 3 }
    }

    private struct Range {
        let type: String
        let version: String?
        let quality: Double
    }

    private let ranges: [Range]

    package init(_ header: String) {
        self.ranges = header.split(separator: ",").prefix(50).compactMap { part in
            let fields = part.split(separator: ";").map { $0.trimmed.lowercased() }
            guard let type = fields.first, type.contains("/") else { return nil }
            func parameter(_ name: String) -> String? {
                fields.dropFirst().first { $0.hasPrefix(name + "=") }.map { field in
                    String(field.dropFirst(name.count + 1)).trimmingQuotes
                }
            }
            let quality = parameter("q").map { Double($0) ?? 0 } ?? 1
            return Range(
                type: type, version: parameter("version"), quality: quality.isNaN ? 0 : min(max(quality, 0), 1))
        }
    }

    /// Whether a client would rather have one type than another.
    package func prefers(_ type: String, to other: String) -> Bool {
        let (one, other) = (self.quality(of: type), self.quality(of: other))
        return one.value > other.value || one.value > 0 && one.value == other.value && one.rank > other.rank
    }

    /// The narrowest range that a type is in decides.
    func quality(of type: String, version: String? = nil) -> Quality {
        var best = Quality(value: 0, rank: 0)
        for range in self.ranges {
            let rank: Int
            switch range.type {
            case type:
                if let asked = range.version, let version, asked != version { continue }
                rank = range.version == nil ? 3 : 4
            case type.prefix { $0 != "/" } + "/*": rank = 2
            case "*/*": rank = 1
            default: continue
            }
            if rank > best.rank || rank == best.rank && range.quality > best.value {
                best = Quality(value: range.quality, rank: rank)
            }
        }
        return best
    }
}

extension StringProtocol {
    fileprivate var trimmed: String {
        var text = Substring(self)
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return String(text)
    }

    fileprivate var trimmingQuotes: String {
        self.count >= 2 && self.hasPrefix("\"") && self.hasSuffix("\"")
            ? String(self.dropFirst().dropLast()) : String(self)
    }
}
