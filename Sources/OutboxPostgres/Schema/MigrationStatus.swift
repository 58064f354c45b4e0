#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// What has become of one version of the schema.
public struct MigrationStatus: Sendable, Hashable {
    /// Whether a version has been applied.
    public enum State: Sendable, Hashable {
        /// Not yet applied.
        case pending
        /// Applied then.
        case applied(at: Date)
        /// Applied then, with another text than this program has.
        case drifted(at: Date)
        /// Applied then by a newer program; this one does not know it.
        case unknown(at: Date)
    }

    /// The migration's number.
    public let version: Int
    /// The migration's name, such as "outbox".
    public let name: String
    /// Whether it has been applied.
    public let state: State

    /// Creates a status.
    public init(version: Int, name: String, state: State) {
        self.version = version
        self.name = name
        self.state = state
    }
}

/// A change of the schema from one version to the next, or back.
public struct MigrationStep: Sendable, Hashable {
    /// Which way a step goes.
    public enum Direction: String, Sendable, Hashable {
        /// To a newer version.
        case up
        /// To an older version.
        case down
    }

    /// The migration's number.
    public let version: Int
    /// The migration's name.
    public let name: String
    /// Whether it was applied or undone.
    public let direction: Direction

    /// Creates a step.
    public init(version: Int, name: String, direction: Direction) {
        self.version = version
        self.name = name
        self.direction = direction
    }
}
