/// A name in SQL: the only way by which a name gets into a statement's text.
package struct SQLIdentifier: Sendable, Hashable {
    package let name: String

    package init(_ name: String) {
        self.name = name
    }

    /// The name in double quotes, those inside it doubled.
    package var quoted: String {
        "\"" + Self.doubling("\"", in: self.name) + "\""
    }

    /// A text as it stands inside a literal: single quotes doubled.
    package static func escapedInLiteral(_ text: String) -> String {
        self.doubling("'", in: text)
    }

    /// By scalars, as the server reads: a quote with a combining accent is one `Character`, and not the quote.
    private static func doubling(_ quote: Unicode.Scalar, in text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if scalar == quote { result.append(quote) }
            result.append(scalar)
        }
        return String(result)
    }
}
