import OutboxPostgres
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// How migrations are printed.
enum MigrationOutput {
    /// What was done, for a person: "applied 1 outbox".
    static func line(_ step: MigrationStep) -> String {
        let verb =
            switch step.direction {
            case .up: "applied"
            case .down: "undone"
            case .restored: "restored"
            }
        return "\(verb) \(step.version) \(step.name)" + (step.detail.map { ": \($0)" } ?? "")
    }

    /// Prints what was done as a JSON array.
    static func print(_ steps: [MigrationStep]) {
        var json = JSONWriter()
        json.beginArray()
        for step in steps {
            json.beginObject()
            json.name("version")
            json.integer(step.version)
            json.name("name")
            json.string(step.name)
            json.name("direction")
            json.string(step.direction.rawValue)
            json.name("detail")
            json.string(step.detail)
            json.endObject()
        }
        json.endArray()
        json.print()
    }

    /// Prints the versions as a JSON array.
    static func print(_ history: [MigrationStatus]) {
        var json = JSONWriter()
        json.beginArray()
        for migration in history {
            json.beginObject()
            json.name("version")
            json.integer(migration.version)
            json.name("name")
            json.string(migration.name)
            json.name("state")
            json.string(migration.stateName)
            json.name("readable")
            json.bool(migration.isReadable)
            json.name("applied_at")
            json.string(migration.appliedAt.map(RFC3339.text))
            json.endObject()
        }
        json.endArray()
        json.print()
    }

    /// The versions as a table.
    static func table(_ history: [MigrationStatus]) -> Table {
        var table = Table(("VERSION", .right), ("NAME", .left), ("STATE", .left), ("APPLIED AT", .left))
        for migration in history {
            table.add(
                String(migration.version), migration.name,
                migration.stateName + (migration.isReadable ? "" : ", not readable"),
                migration.appliedAt.map(RFC3339.text) ?? "-")
        }
        return table
    }
}

extension MigrationStatus {
    /// When the version was applied, if it was.
    var appliedAt: Date? {
        switch self.state {
        case .pending: nil
        case .applied(let date), .drifted(let date), .unknown(let date): date
        }
    }

    /// The state in a word.
    fileprivate var stateName: String {
        switch self.state {
        case .pending: "pending"
        case .applied: "applied"
        case .drifted: "drifted"
        case .unknown: "unknown"
        }
    }
}
