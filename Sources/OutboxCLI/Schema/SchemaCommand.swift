import ArgumentParser
import OutboxPostgres

/// `outbox schema`: prints SQL.
struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract:
            "Print the SQL that creates or changes the schema, as files of a migration tool too, or the grants for its roles.",
        discussion: """
            Nothing is connected to. For migrations of your own tool, or to read what "outbox migrate up" runs.

            With --format, or with --from and --to, what is written is one migration, from a version to another, and what undoes it. \
            It leaves the same schema as "outbox migrate" and knows as well what was applied, and it ends with an error \
            on a schema of another version. What going down would lose is said at the top of each file.

            EXAMPLES:
              outbox schema | psql --single-transaction -v ON_ERROR_STOP=1
              outbox schema --format goose --output db/migrations
              outbox schema --format flyway --output src/main/resources/db/migration
              outbox schema --format dbmate --output db/migrations --number 20300102030405
              outbox schema --format golang-migrate --output migrations
              outbox schema --format alembic --output alembic/versions --after 3f2a9c1e07d4
              outbox schema --from 4 --format goose --output db/migrations
              outbox schema --down --from 5 --to 4 --format sql
              outbox schema --schema orders_outbox
              outbox schema --grants --producer shop --relay outbox_relay --monitor grafana | psql
            """)

    @OptionGroup
    var outbox: SchemaOption

    @OptionGroup(title: "Migrations of another tool")
    var files: MigrationFileOptions

    @Flag(help: "Print GRANTs: for a producer, which may only enqueue, a relay, and a monitor, which may only count.")
    var grants = false

    @Option(help: ArgumentHelp("The role of the applications that enqueue, with --grants.", valueName: "role"))
    var producer: String?

    @Option(help: ArgumentHelp("The role of the relays, with --grants.", valueName: "role"))
    var relay: String?

    @Option(help: ArgumentHelp("The role that reads the views pending and lag, with --grants.", valueName: "role"))
    var monitor: String?

    @Flag(help: "Print the SQL that removes the schema and everything in it.")
    var drop = false

    func validate() throws {
        if self.grants, self.drop { throw ValidationError("--grants and --drop exclude each other.") }
        if self.grants || self.drop, self.files.isAsked {
            throw ValidationError(
                "\(self.grants ? "--grants" : "--drop") is no migration of a tool: it goes without its options.")
        }
        if !self.grants, self.producer != nil || self.relay != nil || self.monitor != nil {
            throw ValidationError("--producer, --relay and --monitor need --grants.")
        }
        for (option, role) in [("--producer", self.producer), ("--relay", self.relay), ("--monitor", self.monitor)] {
            guard let role else { continue }
            if role.isEmpty || role.utf8.count > 63 {
                throw ValidationError("\(option): a role's name has 1 to 63 bytes.")
            }
        }
    }

    func run() throws {
        let schema = try self.outbox.schema
        if self.files.isAsked { return try self.files.run(schema: schema) }
        let sql: String
        if self.grants {
            let isNamed = self.producer != nil || self.relay != nil || self.monitor != nil
            sql = schema.grants(
                producer: isNamed ? self.producer : "outbox_producer", relay: isNamed ? self.relay : "outbox_relay",
                monitor: isNamed ? self.monitor : "outbox_monitor")
        } else {
            sql = self.drop ? schema.down : schema.sql
        }
        Terminal.output.write(sql.hasSuffix("\n") ? sql : sql + "\n")
    }
}
