/// What every transport has to do, as a list of checks.
///
/// It depends on no test library. With Swift Testing:
///
/// ```swift
/// @Test(arguments: TransportConformance.checks)
/// func conforms(_ check: TransportConformance.Check) async throws {
///     try await check.run(MyFixture())
/// }
/// ```
public enum TransportConformance {
    /// One thing that every transport has to do.
    public struct Check: Sendable, CustomStringConvertible {
        /// What the transport does when the check passes.
        package let name: String
        private let body: @Sendable (any TransportFixture) async throws -> Void

        init(_ name: String, _ body: @escaping @Sendable (any TransportFixture) async throws -> Void) {
            self.name = name
            self.body = body
        }

        /// Runs the check.
        ///
        /// - Throws: ``ConformanceFailure`` if the transport does something else; whatever the fixture throws.
        public func run(_ fixture: some TransportFixture) async throws {
            try await self.body(fixture)
        }

        /// The name.
        public var description: String { self.name }
    }

    /// All checks.
    public static let checks: [Check] = outcomeChecks + orderChecks + outageChecks + lifecycleChecks
}
