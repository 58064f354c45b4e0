/// A change as a revision of Alembic, in Python.
///
/// Statement by statement, because some drivers (asyncpg) take no more at a time. A statement is given as `DDL`, in which nothing but
/// the percent sign means anything to SQLAlchemy, whatever the driver and also where SQL is printed (`--sql`): in `text` a colon
/// would begin a parameter.
struct AlembicRevision {
    let change: SchemaChange
    let predecessor: String?
    let remarks: [String]

    var text: String {
        let remarks = self.remarks.map { $0.isEmpty ? "" : "\(Self.escaped($0))" }.joined(separator: "\n")
        return """
            \"""\(remarks)
            \"""

            import sqlalchemy
            from alembic import op

            revision = \(Self.literal(self.change.revision))
            down_revision = \(self.predecessor.map(Self.literal) ?? "None")
            branch_labels = None
            depends_on = None


            def upgrade() -> None:
                execute(UP)


            def downgrade() -> None:
                execute(DOWN)


            def execute(statements: list[str]) -> None:
                for statement in statements:
                    # Of a DDL only the percent sign is read.
                    op.execute(sqlalchemy.DDL(statement.replace("%", "%%")))


            UP = [
            \(Self.list(self.change.forward))
            ]

            DOWN = [
            \(Self.list(self.change.back))
            ]

            """
    }

    private static func list(_ script: String) -> String {
        SQLScript.statements(of: script).map { "    \"\"\"\(self.escaped($0))\"\"\"," }.joined(separator: "\n")
    }

    private static func literal(_ text: String) -> String { "\"\(self.escaped(text, everyQuote: true))\"" }

    /// A text as it stands between three quotes in Python. A quote is itself there, unless another one or the end follows.
    private static func escaped(_ text: String, everyQuote: Bool = false) -> String {
        let scalars = Array(text.unicodeScalars)
        return scalars.indices.reduce(into: "") { result, index in
            let scalar = scalars[index]
            switch scalar {
            case "\\": result += "\\\\"
            case "\"" where everyQuote || index + 1 == scalars.count || scalars[index + 1] == "\"": result += "\\\""
            case "\n": result += "\n"
            case "\u{0}"..."\u{1f}", "\u{7f}"..."\u{9f}", "\u{2028}", "\u{2029}", "\u{feff}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
    }
}
