/// One value of a row, not yet decoded.
package struct LibPQColumn: Sendable {
    let result: LibPQResult
    let row: Int
    /// The place of the column in its row, from 0.
    let index: Int

    /// The oid of the column's type.
    var type: UInt32 { result.type(column: index) }
    /// Whether it is `NULL`.
    var isNull: Bool { result.isNull(row: row, column: index) }
    /// The name of the column.
    var name: String { result.columnNames[index] }

    /// A copy of the binary form, whatever the type.
    ///
    /// - Throws: ``LibPQError/Code/decoding`` if it is `NULL`.
    func bytes() throws(LibPQError) -> [UInt8] {
        try requireValue(as: [UInt8].self)
        return unsafe result.withBytes(row: row, column: index) { unsafe Array($0) }
    }

    func requireValue<Value>(as: Value.Type) throws(LibPQError) {
        if isNull {
            throw LibPQError(.decoding, "the column \(name) is NULL; decode it as an Optional<\(Value.self)>")
        }
    }

    func mismatch<Value>(_: Value.Type) -> LibPQError {
        LibPQError(.decoding, "the column \(name), whose type has the oid \(type), does not hold a \(Value.self)")
    }

    /// Decodes an array of one dimension; Postgres has an empty one without any.
    func array<Element: LibPQElementDecodable>(
        as: Element.Type, from types: [UInt32]
    ) throws(LibPQError) -> [Element] {
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
    ) throws(LibPQError) -> Value {
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
