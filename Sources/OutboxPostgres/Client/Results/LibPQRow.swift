/// A row of a ``LibPQResult``, which it keeps alive.
public struct LibPQRow: Sendable {
    let result: LibPQResult
    /// The row's place in its result, from 0.
    package let index: Int

    /// Decodes the column at `column`, counted from 0.
    ///
    /// - Throws: ``LibPQError/Code/decoding`` if there is no such column, it is of another type, or it is `NULL` and `Value` is
    ///   not optional.
    public func decode<Value: LibPQDecodable>(_ column: Int, as type: Value.Type = Value.self) throws(LibPQError)
        -> Value
    {
        try Value(from: self, at: column)
    }

    /// Decodes the column called `column`; the first one if there are several.
    ///
    /// - Throws: ``LibPQError/Code/decoding`` if there is no such column, it is of another type, or it is `NULL` and `Value` is
    ///   not optional.
    public func decode<Value: LibPQDecodable>(
        _ column: String, as type: Value.Type = Value.self
    ) throws(LibPQError) -> Value {
        try decode(index(of: column))
    }

    func column(_ index: Int) throws(LibPQError) -> LibPQColumn {
        guard index >= 0, index < result.columnCount else {
            throw LibPQError(.decoding, "the result has \(result.columnCount) columns, none at \(index)")
        }
        return LibPQColumn(result: result, row: self.index, index: index)
    }

    private func index(of column: String) throws(LibPQError) -> Int {
        guard let index = result.columnIndex(named: column) else {
            throw LibPQError(.decoding, "the result has no column \(column)")
        }
        return index
    }
}

// MARK: Arrays

extension LibPQRow {
    /// Decodes an array of one dimension from the column at `column`, counted from 0.
    package func decode<Element: LibPQArrayElement>(
        _ column: Int, as type: [Element].Type = [Element].self
    ) throws(LibPQError) -> [Element] {
        try Element.array(from: self.column(column))
    }

    /// Decodes an array of one dimension from the column called `column`.
    package func decode<Element: LibPQArrayElement>(
        _ column: String, as type: [Element].Type = [Element].self
    ) throws(LibPQError) -> [Element] {
        try decode(index(of: column))
    }
}
