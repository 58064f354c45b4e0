/// What others have written, as a part of a line of a log.
enum LogText {
    /// The first 300 characters of a text, without what moves the cursor of a terminal or turns the direction of what follows.
    static func line(_ text: String) -> String {
        let shown = text.prefix(300)
        let line = String(
            String.UnicodeScalarView(
                shown.unicodeScalars.map { scalar in
                    switch scalar.properties.generalCategory {
                    case .control, .lineSeparator, .paragraphSeparator: " "
                    default: scalar.properties.isBidiControl ? " " : scalar
                    }
                }))
        return shown.endIndex == text.endIndex ? line : line + "…"
    }
}

extension Destination {
    /// The name as a part of a line of a log: a producer can choose any.
    var inLog: String { LogText.line(self.name) }
}
