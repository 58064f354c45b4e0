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
    /// Whether this program works with it. A newer program's migration may say that older programs do not notice it.
    public let isReadable: Bool

    /// Creates a status.
    package init(version: Int, name: String, state: State, isReadable: Bool = true) {
        self.version = version
        self.name = name
        self.state = state
        self.isReadable = isReadable
    }
}

/// A change of the schema from one version to the next, or back, or the repair of what a restore has left out.
public struct MigrationStep: Sendable, Hashable {
    /// Which way a step goes.
    public enum Direction: String, Sendable, Hashable {
        /// To a newer version.
        case up
        /// To an older version.
        case down
        /// To where the version was before: something was missing that a dump does not have. What it was is in
        /// ``MigrationStep/detail``.
        case restored
    }

    /// The migration's number.
    public let version: Int
    /// The migration's name.
    public let name: String
    /// Whether it was applied, undone or restored.
    public let direction: Direction
    /// What was restored; nil: the whole version was applied or undone.
    public let detail: String?

    /// Creates a step.
    package init(version: Int, name: String, direction: Direction, detail: String? = nil) {
        self.version = version
        self.name = name
        self.direction = direction
        self.detail = detail
    }
}
