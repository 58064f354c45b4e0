/// A file that a migration tool reads.
struct MigrationFile: Sendable, Hashable {
    let name: String
    let text: String
}

extension MigrationFile {
    /// The files by which a tool makes a change and undoes it; the first one makes it.
    ///
    /// - Parameters:
    ///   - number: With which their names begin, where the tool wants one.
    ///   - predecessor: The revision that Alembic applies before; nil: it is the first.
    ///   - command: The command that writes them.
    static func files(
        of change: SchemaChange, for tool: MigrationTool, number: String, after predecessor: String?, command: String
    ) -> [MigrationFile] {
        let remarks = change.remarks(command: command)
        func comment(_ more: String...) -> String {
            (remarks + more).map { $0.isEmpty ? "--" : "-- \($0)" }.joined(separator: "\n") + "\n"
        }
        switch tool {
        case .sql:
            let how = "In one transaction, to be ended by the first error: psql --single-transaction -v ON_ERROR_STOP=1"
            return [MigrationFile(name: "\(change.name).sql", text: comment("", how) + "\n" + change.forward)]
        case .goose:
            // One statement: then nothing is read of what is in it, and all of it is run in a transaction.
            let text = """
                \(comment())
                -- +goose Up
                -- +goose StatementBegin
                \(change.forward)
                -- +goose StatementEnd

                -- +goose Down
                -- +goose StatementBegin
                \(change.back)
                -- +goose StatementEnd

                """
            return [MigrationFile(name: "\(number)_\(change.name).sql", text: text)]
        case .dbmate:
            let text = """
                \(comment())
                -- migrate:up
                \(change.forward)
                -- migrate:down
                \(change.back)
                """
            return [MigrationFile(name: "\(number)_\(change.name).sql", text: text)]
        case .flyway:
            return [
                MigrationFile(name: "V\(number)__\(change.name).sql", text: comment() + "\n" + change.forward),
                MigrationFile(name: "U\(number)__\(change.name).sql", text: comment() + "\n" + change.back),
            ]
        case .golangMigrate:
            let how =
                "The whole file is one statement for the driver: without x-multi-statement, which divides functions."
            return [
                MigrationFile(
                    name: "\(number)_\(change.name).up.sql", text: comment("", how) + "\n" + change.forward),
                MigrationFile(
                    name: "\(number)_\(change.name).down.sql", text: comment("", how) + "\n" + change.back),
            ]
        case .alembic:
            let revision = AlembicRevision(change: change, predecessor: predecessor, remarks: remarks)
            return [MigrationFile(name: "\(change.name).py", text: revision.text)]
        }
    }
}
