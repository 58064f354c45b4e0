import ArgumentParser
import OutboxPostgres

/// Which change of the schema is to be written, and for which tool.
struct MigrationFileOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The version that the schema has. Default: 0, no outbox; with --down, the newest.", valueName: "version"))
    var from: Int?

    @Option(help: ArgumentHelp("The version that it is to have. Default: the newest.", valueName: "version"))
    var to: Int?

    @Flag(help: "Go down, from a version to an earlier one. Needs --to.")
    var down = false

    @Option(
        help: ArgumentHelp(
            "The tool that is to make the change. Default: sql.", valueName: "tool"))
    var format: MigrationTool?

    @Option(
        help: ArgumentHelp(
            "Write the tool's files into this folder, and print their names. Without, the file that makes the change is printed.",
            valueName: "folder"))
    var output: String?

    @Option(
        help: ArgumentHelp(
            "The number of the files, with --output. Default: the one behind the highest in the folder.",
            valueName: "number"))
    var number: String?

    @Option(help: ArgumentHelp("The revision that comes before, for alembic. Default: none.", valueName: "revision"))
    var after: String?

    /// Whether anything was asked for here.
    var isAsked: Bool {
        self.from != nil || self.to != nil || self.down || self.format != nil || self.output != nil
            || self.number != nil
            || self.after != nil
    }

    var tool: MigrationTool { self.format ?? .sql }

    func validate() throws {
        guard self.isAsked else { return }
        let newest = OutboxSchema.currentVersion
        for (option, version) in [("--from", self.from), ("--to", self.to)] {
            guard let version, !(0...newest).contains(version) else { continue }
            throw ValidationError(
                "\(option) \(version): there is no such version. There are 1 to \(newest), and 0 is no outbox.")
        }
        if self.down, self.to == nil {
            throw ValidationError("--down needs --to: the version to go back to; 0 is no outbox at all.")
        }
        let (from, to) = self.versions
        if self.down, from <= to {
            throw ValidationError("--down goes from a version to an earlier one, not from \(from) to \(to).")
        }
        if !self.down, from >= to {
            throw ValidationError(
                "--from \(from) --to \(to) is no change to a later version."
                    + (from > to ? " To go down, add --down." : ""))
        }
        if self.output != nil, self.tool == .sql {
            throw ValidationError("--output is for the files of a tool; what --format sql prints can be redirected.")
        }
        if let number = self.number {
            guard self.output != nil, self.tool.hasNumbers else {
                throw ValidationError("--number is for --output, with goose, flyway, dbmate or golang-migrate.")
            }
            guard self.tool.isNumber(number) else {
                throw ValidationError("--number \(number): not a number of files of \(self.tool.rawValue).")
            }
        }
        if self.after != nil, self.tool != .alembic { throw ValidationError("--after is for --format alembic.") }
        if let after = self.after, after.isEmpty || after.unicodeScalars.contains(where: { $0.value < 0x20 }) {
            throw ValidationError("--after: not a revision.")
        }
    }

    /// From which version to which.
    private var versions: (from: Int, to: Int) {
        let newest = OutboxSchema.currentVersion
        return (self.from ?? (self.down ? newest : 0), self.to ?? newest)
    }

    /// Writes the files, or prints the one that makes the change.
    func run(schema: OutboxSchema) throws {
        let (from, to) = self.versions
        let tool = self.tool
        if tool == .flyway, schema.name.contains("${") {
            throw CommandFailure(
                .usage, "--schema: Flyway takes ${ for the beginning of a placeholder; name another schema")
        }
        let change = try SchemaChange(schema: schema, from: from, to: to)
        let command =
            "outbox schema --from \(from) --to \(to)\(self.down ? " --down" : "") --format \(tool.rawValue)\(schema.option)"
        func files(_ number: String) -> [MigrationFile] {
            MigrationFile.files(of: change, for: tool, number: number, after: self.after, command: command)
        }
        guard let output = self.output else {
            Terminal.output.write(files("1")[0].text)
            return
        }
        let folder = try MigrationFolder(output)
        if let file = folder.file(of: change, for: tool) {
            throw CommandFailure(.usage, "--output: \(output) has a file for that already: \(file)")
        }
        if let number = self.number, let file = folder.file(numbered: number, for: tool) {
            throw CommandFailure(.usage, "--number \(number): \(output) has a file with that number: \(file)")
        }
        if tool == .alembic, self.after == nil, folder.hasRevisions {
            throw CommandFailure(
                .usage,
                "--output: \(output) has revisions; name the one that comes before, --after (see: alembic heads)")
        }
        for path in try folder.write(files(self.number ?? folder.nextNumber(for: tool))) {
            Terminal.output.print(path)
        }
    }
}
