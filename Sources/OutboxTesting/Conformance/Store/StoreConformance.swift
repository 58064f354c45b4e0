/// What every relay store has to do, as a list of checks.
///
/// It depends on no test library. With Swift Testing:
///
/// ```swift
/// @Test(arguments: StoreConformance.checks)
/// func conforms(_ check: StoreConformance.Check) async throws {
///     try await check.run(MyFixture())
/// }
/// ```
public enum StoreConformance {
    /// One thing that every store has to do.
    public struct Check: Sendable, CustomStringConvertible {
        /// What the store does when the check passes.
        package let name: String
        private let body: @Sendable (any StoreFixture) async throws -> Void

        init(_ name: String, _ body: @escaping @Sendable (any StoreFixture) async throws -> Void) {
            self.name = name
            self.body = body
        }

        /// Runs the check against a store of its own.
        ///
        /// - Throws: ``ConformanceFailure`` if the store does something else; whatever the store throws.
        public func run(_ fixture: some StoreFixture) async throws {
            try await self.body(fixture)
        }

        /// The name.
        public var description: String { self.name }
    }

    /// All checks.
    public static let checks: [Check] =
        logChecks + pagingChecks + lateChecks + cursorChecks + firstPositionChecks + ownershipChecks + streamChecks
        + waitingChecks + deferralChecks
        + keyOrderChecks + settlementChecks
}
