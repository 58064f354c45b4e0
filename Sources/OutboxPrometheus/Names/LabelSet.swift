/// The labels of a series in their canonical order, and as both formats write them.
///
/// Two sets are the same when they have the same names and values, in whichever order they were given.
package struct LabelSet: Sendable, Hashable {
    /// `destination="mail",subscription="main"`: escaped, without the braces.
    package let text: String

    package static let none = LabelSet([])

    /// - Parameter pairs: Names and values. Names are made valid; of two with one name the first one counts.
    package init(_ pairs: [(name: String, value: String)]) {
        var values: [String: String] = [:]
        for (name, value) in pairs {
            let valid = MetricName.label(name)
            if values[valid] == nil { values[valid] = value }
        }
        self.text = values.sorted { $0.key < $1.key }
            .map { "\($0.key)=\"\(Self.escaped($0.value))\"" }
            .joined(separator: ",")
    }

    /// - Parameter name: A label that a histogram needs for itself.
    init(_ pairs: [(String, String)], without name: String) {
        self.init(pairs.map { (MetricName.label($0) == name ? "exported_" + name : $0, $1) })
    }

    /// In a label's value three characters have to be escaped. A carriage return ends a line for some readers, and a zero the text.
    private static func escaped(_ value: String) -> String {
        if !value.unicodeScalars.contains(where: { Self.isSpecial($0) }) { return value }
        var escaped = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            case "\r", "\0": escaped += "\u{FFFD}"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    private static func isSpecial(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "\\", "\"", "\n", "\r", "\0": true
        default: false
        }
    }
}
