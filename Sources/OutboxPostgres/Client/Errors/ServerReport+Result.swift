internal import CLibPQ

extension ServerReport {
    /// Reads the report from a result of libpq, which is alive during the call.
    init(result: OpaquePointer) {
        unsafe self.init(
            sqlState: Self.field(Field.sqlState, of: result),
            severity: Self.field(Field.severity, of: result),
            // A failure that libpq itself reports has no fields but only a text.
            message: Self.field(Field.message, of: result)
                ?? String(cString: PQresultErrorMessage(result)).trimmingNewlines(),
            hint: Self.field(Field.hint, of: result),
            constraint: Self.field(Field.constraint, of: result),
            schema: Self.field(Field.schema, of: result),
            table: Self.field(Field.table, of: result),
            column: Self.field(Field.column, of: result),
            position: Self.field(Field.position, of: result).flatMap { Int($0) }
        )
    }

    private static func field(_ code: Character, of result: OpaquePointer) -> String? {
        guard let text = unsafe PQresultErrorField(result, CInt(code.asciiValue!)) else { return nil }
        return unsafe String(cString: text)
    }

    /// The field codes of ErrorResponse in the protocol.
    private enum Field {
        static let sqlState: Character = "C"
        /// The severity, never translated.
        static let severity: Character = "V"
        static let message: Character = "M"
        static let hint: Character = "H"
        static let constraint: Character = "n"
        static let schema: Character = "s"
        static let table: Character = "t"
        static let column: Character = "c"
        static let position: Character = "P"
    }
}

extension String {
    func trimmingNewlines() -> String {
        var text = self[...]
        while text.last?.isNewline == true { text.removeLast() }
        return String(text)
    }
}
