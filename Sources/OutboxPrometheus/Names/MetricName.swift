/// Names of metrics and labels as Prometheus takes them (https://prometheus.io/docs/concepts/data_model).
enum MetricName {
    /// A metric's name: letters, digits, `_` and `:`, no digit first.
    static func metric(_ label: String) -> String { self.name(label, allowsColon: true) }

    /// A label's name: letters, digits and `_`, no digit first. Two low lines at the beginning are Prometheus's own.
    static func label(_ name: String) -> String {
        let name = self.name(name, allowsColon: false)
        return name.hasPrefix("__") ? "_" + name.drop { $0 == "_" } : name
    }

    private static func name(_ text: String, allowsColon: Bool) -> String {
        var name = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "a"..."z", "A"..."Z", "_": name.unicodeScalars.append(scalar)
            case ":" where allowsColon: name.unicodeScalars.append(scalar)
            case "0"..."9":
                if name.isEmpty { name = "_" }
                name.unicodeScalars.append(scalar)
            default: name.unicodeScalars.append("_")
            }
        }
        return name.isEmpty ? "_" : name
    }
}
