import OutboxPostgres
import OutboxRuntime

/// A change of an outbox's schema from one version to another, as a migration of another tool: what it does, what undoes it and what is
/// said of it.
struct SchemaChange: Sendable {
    let schema: OutboxSchema
    let from: Int
    let to: Int

    /// - Throws: An `OutboxError` if there is no such version.
    init(schema: OutboxSchema, from: Int, to: Int) throws {
        self.schema = schema
        self.from = from
        self.to = to
        self.forward = try schema.script(from: from, to: to)
        self.back = try schema.script(from: to, to: from)
    }

    /// The script that makes the change.
    let forward: String
    /// The script that undoes it.
    let back: String

    /// What a file is called, without a tool's number: the same for the same change, and another one for each schema.
    var name: String {
        if self.schema.name == "outbox" { return self.baseName }
        let slug = String(
            String.UnicodeScalarView(
                self.schema.name.unicodeScalars.map { scalar in
                    let isPlain = scalar.isASCII && scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
                    return isPlain ? scalar : "_"
                }))
        // Two schemas are never called alike in file names.
        return "\(self.baseName)_\(slug)" + (slug == self.schema.name ? "" : "_\(self.hash)")
    }

    /// What Alembic calls the revision: at most 32 characters, which is what its table has room for.
    var revision: String { self.schema.name == "outbox" ? self.baseName : "\(self.baseName)_\(self.hash)" }

    private var baseName: String {
        let digits = String(self.to)
        let version = String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        return self.to > self.from ? "outbox_\(version)" : "outbox_back_to_\(version)"
    }

    private var hash: String {
        let digits = String(FowlerNollVo.hash(self.schema.name.utf8) & 0xffff_ffff, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    /// What is said at the top of a file, a line each.
    ///
    /// - Parameter command: The command that writes such a file.
    func remarks(command: String) -> [String] {
        let (newer, older) = (max(self.from, self.to), min(self.from, self.to))
        var lines = [
            "The outbox in the schema \(self.schema.identifier), from version \(self.from) to \(self.to). Written by: \(command)",
            "It leaves what \"outbox migrate\" leaves: use one or the other for a change.",
        ]
        if self.to > 0, self.to < OutboxSchema.oldestVersion {
            lines.append("The program that wrote this works with version \(OutboxSchema.oldestVersion) and later ones.")
        }
        lines.append("")
        lines.append("What is lost on the way down from \(newer) to \(older):")
        if older == 0 { lines.append("- Version 0 is no outbox at all: every message, delivered or not, is gone.") }
        lines += OutboxSchema.losses(from: newer, to: older).map { "- \($0)" }
        return lines
    }
}
