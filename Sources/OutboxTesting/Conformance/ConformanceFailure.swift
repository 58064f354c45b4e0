/// What a store did that a relay store must not do.
public struct ConformanceFailure: Error, Sendable, CustomStringConvertible {
    /// What was expected and what happened instead.
    public let description: String

    /// Creates a failure.
    package init(_ description: String) {
        self.description = description
    }
}

/// Throws a failure unless a condition holds.
func require(_ condition: Bool, _ description: @autoclosure () -> String) throws(ConformanceFailure) {
    if !condition { throw ConformanceFailure(description()) }
}

/// Throws a failure unless two values are equal.
func require<Value: Equatable>(
    _ value: Value, equals expected: Value, _ what: @autoclosure () -> String
) throws(ConformanceFailure) {
    if value != expected { throw ConformanceFailure("\(what()): expected \(expected), but it is \(value)") }
}
