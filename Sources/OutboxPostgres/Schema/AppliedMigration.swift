import OutboxMigrations

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A migration as the schema's table of versions has it, and as the comment on that table says it again.
///
/// Rows are data, which a dump of the structure alone does not have; the comment belongs to the structure. A line a migration:
/// `1 outbox 04c2b5d1a8e7f936 readable by 1`.
struct AppliedMigration: Sendable, Hashable {
    var version: Int
    var name: String
    var checksum: String
    /// The oldest program that works with it; see ``/OutboxMigrations/Migrations/File/readableBy``.
    var readableBy: Int
    /// When it was applied; nil: that is not known.
    var date: Date?
}

extension AppliedMigration {
    /// What is noted of a migration when it is applied.
    init(_ file: Migrations.File) {
        self.init(version: file.version, name: file.name, checksum: file.checksum, readableBy: file.readableBy)
    }

    /// The comment that says what has been applied.
    static func comment(_ applied: [AppliedMigration]) -> String {
        applied.map { "\($0.version) \($0.name) \($0.checksum) readable by \($0.readableBy)" }.joined(separator: "\n")
    }

    /// Reads such a comment.
    ///
    /// - Returns: What has been applied, the oldest first; nil: it is another comment, or has been edited.
    static func parse(_ comment: String) -> [AppliedMigration]? {
        var applied: [AppliedMigration] = []
        for line in comment.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            guard words.count == 6, words[3] == "readable", words[4] == "by", let version = Int(words[0]),
                let readableBy = Int(words[5]), version > applied.last?.version ?? 0
            else { return nil }
            applied.append(
                AppliedMigration(version: version, name: words[1], checksum: words[2], readableBy: readableBy))
        }
        return applied.isEmpty ? nil : applied
    }
}
