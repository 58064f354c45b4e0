/// The text of a statement and the values for its parameters.
///
/// Written as a string literal, an interpolated value becomes a parameter, never text:
///
/// ```swift
/// let statement: LibPQStatement = "UPDATE account SET balance = balance - \(amount) WHERE id = \(id)"
/// ```
///
/// It does not depend on the client of this package: give ``text`` and ``binds`` to any other.
public struct LibPQStatement: Sendable, Hashable {
    /// The SQL, with `$1`, `$2` … where the values belong.
    public var text: String
    /// The values of `$1`, `$2` …, at most 65,535.
    public var binds: [LibPQValue]
    /// If set, the statement is prepared once on each connection under this name and reused from then on, which saves the server
    /// from parsing and planning it again. A name always goes with the same text.
    public var name: String?

    /// Creates a statement from text that has `$1`, `$2` … where the values belong.
    public init(_ text: String, _ binds: [LibPQValue] = [], name: String? = nil) {
        self.text = text
        self.binds = binds
        self.name = name
    }
}

extension LibPQStatement: CustomStringConvertible {
    /// The text. The values are left out: they may be confidential.
    public var description: String { text }
}

extension LibPQStatement: ExpressibleByStringInterpolation {
    /// Creates a statement without values.
    public init(stringLiteral value: String) {
        self.init(value)
    }

    /// Creates a statement whose interpolated values are parameters.
    public init(stringInterpolation: StringInterpolation) {
        self.init(stringInterpolation.text, stringInterpolation.binds)
    }

    /// Collects the text and the values of an interpolated statement.
    public struct StringInterpolation: StringInterpolationProtocol, Sendable {
        fileprivate var text = ""
        fileprivate var binds: [LibPQValue] = []

        /// Begins an empty statement.
        public init(literalCapacity: Int, interpolationCount: Int) {
            text.reserveCapacity(literalCapacity + interpolationCount * 3)
            binds.reserveCapacity(interpolationCount)
        }

        /// Appends SQL that was written in the source.
        public mutating func appendLiteral(_ literal: String) {
            text += literal
        }

        /// Binds `value` to the next parameter.
        public mutating func appendInterpolation(_ value: some LibPQEncodable) {
            appendInterpolation(value.sqlValue)
        }

        /// Binds `value`, or `NULL`, to the next parameter.
        public mutating func appendInterpolation(_ value: (some LibPQEncodable)?) {
            appendInterpolation(value?.sqlValue ?? .null)
        }

        /// Binds `value` to the next parameter.
        public mutating func appendInterpolation(_ value: LibPQValue) {
            binds.append(value)
            text += "$\(binds.count)"
        }

        /// Binds `value`, an array to the database too, to the next parameter.
        package mutating func appendInterpolation<Element: LibPQArrayElement>(_ value: [Element]) {
            appendInterpolation(Element.sqlValue(of: value))
        }

        /// Inserts SQL as it is. Never give it text from outside the program.
        package mutating func appendInterpolation(unescaped sql: String) {
            text += sql
        }
    }
}
