extension String {
    /// The text without anything that a terminal acts on: payloads, errors and names may hold
    /// anything. Controls are replaced, and so is what changes the direction of other text.
    ///
    /// - Parameters:
    ///   - limit: How many characters at most, an ellipsis included. Default: all.
    ///   - keepingLines: Whether line breaks and tabs stay; else they become spaces.
    func plain(_ limit: Int = .max, keepingLines: Bool = false) -> String {
        var result = ""
        var count = 0
        for scalar in self.unicodeScalars {
            // Characters are at least as many bytes as scalars; there is no need to look at a megabyte for sixty of them.
            if limit < .max, count > limit * 8 { break }
            count += 1
            switch scalar {
            case "\n", "\t": result.unicodeScalars.append(keepingLines ? scalar : " ")
            // Joiners are what emoji and some scripts are written with.
            case "\u{200C}", "\u{200D}": result.unicodeScalars.append(scalar)
            default:
                switch scalar.properties.generalCategory {
                case .control, .format, .lineSeparator, .paragraphSeparator: result.append("\u{FFFD}")
                default: result.unicodeScalars.append(scalar)
                }
            }
        }
        return result.count <= limit ? result : result.prefix(limit - 1) + "…"
    }
}
