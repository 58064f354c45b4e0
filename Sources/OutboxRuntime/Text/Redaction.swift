/// Keeps passwords out of messages about texts that should have been an address and are none.
///
/// Where an address cannot be read, nothing of it is known to be harmless: a character more or less makes a password the host, the
/// path, a parameter or a whole argument. So a message repeats nothing of it but what is nearly a known name, and the beginning of
/// an argument.
package enum Redaction {
    /// What a message can show of a text that was typed: all of a plain word, the first word of anything else.
    package static func shown(_ text: String) -> String {
        let word = text.prefix(while: self.isOfWords)
        if word.endIndex == text.endIndex { return text }
        let isNamed = [":", "=", "/"].contains(text[word.endIndex]) && word.count <= self.longestName
        return (isNamed ? String(word) : "") + "…"
    }

    /// A message in which texts that were typed are as ``shown(_:)`` leaves them.
    ///
    /// - Parameter texts: What the message may repeat, such as the arguments of a command.
    package static func message(_ message: String, repeating texts: some Sequence<String>) -> String {
        var parts: Set<String> = []
        for text in texts {
            parts.insert(text)
            // `--option=value`, whose halves are repeated one by one.
            guard text.hasPrefix("-"), let mark = text.firstIndex(of: "=") else { continue }
            parts.insert(String(text[..<mark]))
            parts.insert(String(text[mark...].dropFirst()))
        }
        var message = message
        // The longest first: one may contain another.
        for part in parts.sorted(by: { ($1.utf8.count, $0) < ($0.utf8.count, $1) }) {
            let shown = self.shown(part)
            if shown != part, part.utf8.count > 3 { message = message.replacing(part, with: shown) }
        }
        return message
    }

    /// Whether a value has nothing in it of the parameters around it, from which a character that was left out may divide it no more.
    package static func isWhole(_ value: String) -> Bool { !value.contains { "=&?@%".contains($0) } }

    /// A name that is not known, as a message can repeat it: it is nearly one that is known, so it is no part of a password.
    ///
    /// - Returns: nil: it may be one.
    package static func misspelling(_ name: String, of names: some Sequence<String>) -> (name: String, nearest: String)?
    {
        guard name.count <= self.longestName, name.allSatisfy(self.isOfWords),
            let nearest = NearestName.of(name, among: names),
            NearestName.differences(between: name, and: nearest) <= 2, name.count > 2
        else { return nil }
        return (name, nearest)
    }

    private static let longestName = 40

    private static func isOfWords(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber || "._-+*".contains(character))
    }
}
