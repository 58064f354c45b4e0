extension AMQPConfiguration {
    /// An exchange: its name and, if it is to be declared, its properties.
    public struct Exchange: Sendable, Hashable {
        /// Its name; empty: the broker's default exchange.
        package var name: String
        /// How it is declared whenever a connection is made; nil: it has to be there.
        package var declaration: Declaration?

        /// The broker's default exchange, where the routing key is a queue's name.
        public static let `default` = Exchange(name: "", declaration: nil)

        /// An exchange that exists already; the transport does not declare it.
        public static func named(_ name: String) -> Exchange { Exchange(name: name, declaration: nil) }

        /// An exchange that is declared. It is an error at the broker if it is there with other properties.
        ///
        /// - Parameters:
        ///   - name: Its name.
        ///   - type: `direct`, `fanout`, `topic`, `headers`, or one of a plugin.
        ///   - isDurable: Whether it outlives a restart of the broker.
        ///   - isAutoDeleted: Whether it goes with its last binding.
        ///   - isInternal: Whether only other exchanges may publish to it. Then no message can be published.
        ///   - arguments: Such as `alternate-exchange`.
        public static func declared(
            _ name: String, type: String = "topic", isDurable: Bool = true, isAutoDeleted: Bool = false,
            isInternal: Bool = false, arguments: [String: Argument] = [:]
        ) -> Exchange {
            Exchange(
                name: name,
                declaration: Declaration(
                    type: type, isDurable: isDurable, isAutoDeleted: isAutoDeleted, isInternal: isInternal,
                    arguments: arguments))
        }

        /// How an exchange is declared.
        package struct Declaration: Sendable, Hashable {
            /// `direct`, `fanout`, `topic`, `headers`, or one of a plugin.
            package var type: String
            /// Whether it outlives a restart of the broker.
            package var isDurable: Bool
            /// Whether it goes with its last binding.
            package var isAutoDeleted: Bool
            /// Whether only other exchanges may publish to it.
            package var isInternal: Bool
            /// Such as `alternate-exchange`.
            package var arguments: [String: Argument]
        }
    }

    /// A queue that is declared and bound.
    public struct Queue: Sendable, Hashable {
        /// Its name.
        package var name: String
        /// Whether it outlives a restart of the broker. Default true.
        package var isDurable: Bool
        /// Whether it goes with its last consumer. Default false.
        package var isAutoDeleted: Bool
        /// Such as `x-queue-type`, `x-max-length` or `x-overflow`. Default none.
        package var arguments: [String: Argument]
        /// With which keys it is bound to the exchange of the configuration; a queue of the default exchange needs none.
        /// Default none.
        package var bindingKeys: [String]

        /// Creates a queue; see the properties for the defaults.
        public init(
            _ name: String, isDurable: Bool = true, isAutoDeleted: Bool = false, arguments: [String: Argument] = [:],
            bindingKeys: [String] = []
        ) {
            self.name = name
            self.isDurable = isDurable
            self.isAutoDeleted = isAutoDeleted
            self.arguments = arguments
            self.bindingKeys = bindingKeys
        }
    }

    /// The value of an argument of an exchange or a queue.
    public struct Argument: Sendable, Hashable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
        ExpressibleByBooleanLiteral
    {
        enum Value: Hashable {
            case text(String)
            case integer(Int64)
            case flag(Bool)
        }

        let value: Value

        /// A text.
        public static func text(_ text: String) -> Argument { Argument(value: .text(text)) }
        /// A whole number.
        public static func integer(_ number: Int64) -> Argument { Argument(value: .integer(number)) }
        /// True or false.
        public static func flag(_ flag: Bool) -> Argument { Argument(value: .flag(flag)) }

        private init(value: Value) { self.value = value }

        /// A text.
        public init(stringLiteral text: String) { self.init(value: .text(text)) }
        /// A whole number.
        public init(integerLiteral number: Int64) { self.init(value: .integer(number)) }
        /// True or false.
        public init(booleanLiteral flag: Bool) { self.init(value: .flag(flag)) }
    }
}
