/// The JSON Schema of the configuration file, by which editors complete and check it.
enum ConfigurationSchema {
    /// The schema, as JSON of several lines.
    static var text: String {
        var lines = Lines()
        lines.open("{")
        lines.value("$schema", "\"https://json-schema.org/draft/2020-12/schema\"")
        lines.value("title", self.quoted("The configuration of outbox"))
        lines.value("type", "\"object\"")
        lines.value("additionalProperties", "false")
        lines.open("\"properties\": {")
        for setting in ConfigurationLayer.settings { lines.property(setting) }
        lines.open("\"routes\": {")
        lines.value(
            "description",
            self.quoted("A name for each destination, “*” for all others, and below it where its messages go, and how.")
        )
        lines.value("type", "\"object\"")
        lines.open("\"additionalProperties\": {")
        lines.open("\"anyOf\": [")
        lines.item("{ \"type\": \"string\", \"minLength\": 1 }")
        lines.open("{")
        lines.value("type", "\"object\"")
        lines.value("additionalProperties", "false")
        lines.open("\"properties\": {")
        for setting in RouteLayer.settings { lines.property(setting) }
        for closing in ["}", "}", "]", "}", "}", "}", "}"] { lines.close(closing) }
        return lines.text
    }

    /// What a setting can be, as JSON.
    fileprivate static func type<Target>(of setting: Setting<Target>) -> String {
        switch setting.kind {
        case .text: "\"type\": \"string\", \"minLength\": 1"
        case .count(let range):
            "\"type\": \"integer\", \"minimum\": \(range.lowerBound)"
                + (range.upperBound == .max ? "" : ", \"maximum\": \(range.upperBound)")
        case .number(let least): "\"type\": \"number\", \"minimum\": \(least)"
        case .interval: "\"type\": [\"string\", \"number\"], \"pattern\": \"^(\(Self.interval))$\""
        case .intervalOr(let word):
            "\"type\": [\"string\", \"number\"], \"pattern\": \"^(\(Self.interval)|\(word))$\""
        case .flag: "\"type\": \"boolean\""
        case .address: "\"type\": \"string\", \"pattern\": \"\(Self.address)\""
        case .choice(let words): "\"enum\": [\(words.map(Self.quoted).joined(separator: ", "))]"
        }
    }

    private static let address = #"^([A-Za-z0-9._-]*|\\[[0-9A-Za-z:.%]+\\]):[0-9]{1,5}$"#

    private static let interval = #"[0-9]+([.][0-9]*)?(us|ms|s|m|min|h|d)?"#

    fileprivate static func quoted(_ text: String) -> String {
        let escaped = text.map { character in "\"\\".contains(character) ? "\\\(character)" : String(character) }
        return "\"" + escaped.joined() + "\""
    }
}

/// Lines of JSON, with their commas.
private struct Lines {
    private(set) var text = ""
    private var depth = 0
    private var isFirst = true

    mutating func open(_ line: String) {
        self.begin()
        self.text += line
        self.depth += 1
        self.isFirst = true
    }

    mutating func close(_ bracket: String) {
        self.depth -= 1
        self.text += "\n" + self.margin + bracket
        self.isFirst = false
        if self.depth == 0 { self.text += "\n" }
    }

    mutating func item(_ line: String) {
        self.begin()
        self.text += line
        self.isFirst = false
    }

    mutating func value(_ name: String, _ value: String) { self.item("\"\(name)\": \(value)") }

    mutating func property<Target>(_ setting: Setting<Target>) {
        self.open("\"\(setting.name)\": {")
        self.value("description", ConfigurationSchema.quoted(setting.help))
        self.item(ConfigurationSchema.type(of: setting))
        self.close("}")
    }

    private var margin: String { String(repeating: "  ", count: self.depth) }

    private mutating func begin() {
        if self.depth > 0 { self.text += (self.isFirst ? "\n" : ",\n") + self.margin }
    }
}
