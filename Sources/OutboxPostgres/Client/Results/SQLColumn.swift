/// One value of a row, not yet decoded.
public struct SQLColumn: Sendable {
    let result: QueryResult
    let row: Int
    /// The place of the column in its row, from 0.
    public let index: Int

    /// The oid of the column's type.
    public var type: UInt32 { result.type(column: index) }
    /// Whether it is `NULL`.
    public var isNull: Bool { result.isNull(row: row, column: index) }
    /// The name of the column.
    public var name: String { result.columnNames[index] }

    /// A copy of the binary form, whatever the type.
    ///
    /// - Throws: ``PostgresError/Code/decoding`` if it is `NULL`.
    public func bytes() throws(PostgresError) -> [UInt8] {
        try requireValue(as: [UInt8].self)
        return unsafe result.withBytes(row: row, column: index) { unsafe Array($0) }
    }

    func requireValue<Value>(as: Value.Type) throws(PostgresError) {
        if isNull {
            throw PostgresError(.decoding, "the column \(name) is NULL; decode it as an Optional<\(Value.self)>")
        }
    }

    func mismatch<Value>(_: Value.Type) -> PostgresError {
        PostgresError(.decoding, "the column \(name), whose type has the oid \(type), does not hold a \(Value.self)")
    }

    /// Decodes an array of one dimension; Postgres has an empty one without any.
    func array<Element: SQLElementDecodable>(
        as: Element.Type, from types: [UInt32]
    ) throws(PostgresError) -> [Element] {
        try requireValue(as: [Element].self)
        let decoded: [Element]? =
            types.contains(type)
            ? unsafe result.withBytes(row: row, column: index) { bytes -> [Element]? in
                var reader = unsafe BinaryReader(bytes)
                return reader.array(as: Element.self)
            } : nil
        guard let decoded else { throw mismatch([Element].self) }
        return decoded
    }

    /// Checks the type, lends the value's bytes, and turns `nil` into an error.
    func decode<Value>(
        from types: UInt32..., body: (inout BinaryReader) -> Value?
    ) throws(PostgresError) -> Value {
        try requireValue(as: Value.self)
        guard types.contains(type), let value = withReader(body) else { throw mismatch(Value.self) }
        return value
    }

    func withReader<Value>(_ body: (inout BinaryReader) -> Value?) -> Value? {
        unsafe result.withBytes(row: row, column: index) { bytes in
            var reader = unsafe BinaryReader(bytes)
            guard let value = body(&reader), reader.isAtEnd else { return nil }
            return value
        }
    }
}
