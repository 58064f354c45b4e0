/// A row of a ``QueryResult``, which it keeps alive.
public struct Row: Sendable {
    let result: QueryResult
    /// The row's place in its result, from 0.
    public let index: Int

    /// Decodes the column at `column`, counted from 0.
    ///
    /// - Throws: ``PostgresError/Code/decoding`` if there is no such column, it is of another type, or it is `NULL` and `Value` is
    ///   not optional.
    public func decode<Value: SQLDecodable>(_ column: Int, as type: Value.Type = Value.self) throws(PostgresError)
        -> Value
    {
        guard column >= 0, column < result.columnCount else {
            throw PostgresError(.decoding, "the result has \(result.columnCount) columns, none at \(column)")
        }
        return try Value(from: SQLColumn(result: result, row: index, index: column))
    }

    /// Decodes the column called `column`; the first one if there are several.
    ///
    /// - Throws: ``PostgresError/Code/decoding`` if there is no such column, it is of another type, or it is `NULL` and `Value` is
    ///   not optional.
    public func decode<Value: SQLDecodable>(
        _ column: String, as type: Value.Type = Value.self
    ) throws(PostgresError) -> Value {
        guard let index = result.columnIndex(named: column) else {
            throw PostgresError(.decoding, "the result has no column \(column)")
        }
        return try decode(index)
    }
}
