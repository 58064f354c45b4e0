/// A name in SQL: the only way by which a name gets into a statement's text.
package struct SQLIdentifier: Sendable, Hashable {
    package let name: String

    package init(_ name: String) {
        self.name = name
    }

    /// The name in double quotes, those inside it doubled.
    package var quoted: String {
        "\"" + self.name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    /// A text as it stands inside a literal: single quotes doubled.
    package static func escapedInLiteral(_ text: String) -> String {
        text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''")
    }
}
