import Outbox
import OutboxSQL

extension OutboxDoctor {
    /// Whether the schema is the one that this version works with, with the text that it was applied with.
    func migrations(_ connection: LibPQConnection) async throws -> [DoctorFinding] {
        let statuses: [MigrationStatus]
        do {
            statuses = try await OutboxMigrator(schema: self.schema).status(on: connection)
        } catch let error as OutboxError where [.schemaOccupied, .schemaUnversioned].contains(error.code) {
            return [
                DoctorFinding(
                    "schema", .error, error.message,
                    remedy: error.code == .schemaUnversioned ? .restoreVersions : nil)
            ]
        }
        let known = OutboxSchema.currentVersion
        if statuses.allSatisfy({ $0.state == .pending }) {
            return [
                DoctorFinding(
                    "schema", .error, "there is no outbox in the schema \(self.schema.identifier)",
                    advice: "Create it, or name another schema.", remedy: .createSchema)
            ]
        }
        let findings = statuses.compactMap { status -> DoctorFinding? in
            let what = "version \(status.version) (\(status.name))"
            switch status.state {
            case .applied:
                return nil
            case .pending:
                return DoctorFinding("schema", .error, "\(what) is missing", advice: "Apply it.", remedy: .migrate)
            case .unknown where status.isReadable:
                return DoctorFinding(
                    "schema", .ok, "\(what) is newer than this program, which knows \(known) and works with it")
            case .unknown:
                return DoctorFinding(
                    "schema", .error, "\(what) is newer than this program, which knows \(known)",
                    advice: "Update the program.")
            case .drifted:
                return DoctorFinding(
                    "schema", .warning, "\(what) was applied with another text than this program has",
                    advice: """
                        Use the program that applied it. If the difference does not matter, the error of a migration says how to \
                        accept it.
                        """, remedy: .acceptDrift)
            }
        }
        return findings.isEmpty ? [DoctorFinding("schema", .ok, "version \(known), as it was made")] : findings
    }

    /// Whether triggers, indexes, partitions and constraints are there and work.
    func objects(_ connection: LibPQConnection) async throws -> [DoctorFinding] {
        let result = try await connection.query(LibPQStatement(self.statements.brokenObjects))
        let findings = try result.map { row in
            self.finding("objects", .error, try row.decode("seen"), mend: try row.decode("mend"))
        }
        return findings.isEmpty
            ? [DoctorFinding("objects", .ok, "triggers, indexes, partitions and constraints are in force")] : findings
    }

    /// Whether ids and transaction numbers are what the streams' cursors assume.
    func numbers(_ connection: LibPQConnection) async throws -> [DoctorFinding] {
        try await self.judge(
            "numbers", self.statements.numbers,
            "ids rise with the numbers of transactions, and no cursor is above them",
            connection)
    }

    /// Whether sessions that are no relays hold the locks by which relays work.
    func locks(_ connection: LibPQConnection) async throws -> [DoctorFinding] {
        try await self.judge(
            "locks", self.statements.locks, "the outbox's advisory locks are held by relays, as they should be",
            connection)
    }

    private func judge(
        _ check: String, _ statement: String, _ well: String, _ connection: LibPQConnection
    ) async throws -> [DoctorFinding] {
        // As for the status: statements read the log by its indexes, whatever the statistics say.
        let results = try await connection.withTransaction(readOnly: true) { transaction in
            try await transaction.pipeline([
                LibPQStatement(self.schema.inspectionStatements.configure), LibPQStatement(statement),
            ])
        }
        let findings = try results[1].map { row in
            self.finding(
                check, try row.decode("is_error", as: Bool.self) ? .error : .warning, try row.decode("seen"),
                mend: try row.decode("mend"))
        }
        return findings.isEmpty ? [DoctorFinding(check, .ok, well)] : findings
    }

    /// - Parameter mend: What to do; nil: the migration that made it has it.
    private func finding(
        _ check: String, _ severity: DoctorFinding.Severity, _ seen: String, mend: String?
    ) -> DoctorFinding {
        if let mend { return DoctorFinding(check, severity, seen, advice: mend) }
        return DoctorFinding(
            check, severity, seen, advice: "Restore it from the migration that made it.", remedy: .restoreObject)
    }

    /// Whether roles have the privileges that they need.
    func privileges(_ connection: LibPQConnection) async throws -> [DoctorFinding] {
        var wanted: [(role: String, kind: String, grants: [Grant])] = []
        if let role = self.roles.producer { wanted.append((role, "producer", Grant.producer)) }
        if let role = self.roles.relay { wanted.append((role, "relay", Grant.relay)) }
        if let role = self.roles.monitor { wanted.append((role, "monitor", Grant.monitor)) }
        if wanted.isEmpty {
            let role = try await connection.query("SELECT current_user::text")[0].decode(0, as: String.self)
            wanted.append((role, "relay", Grant.relay))
        }
        var findings: [DoctorFinding] = []
        for (role, kind, grants) in wanted {
            findings.append(try await self.privileges(of: role, as: kind, grants, connection))
        }
        return findings
    }

    private func privileges(
        of role: String, as kind: String, _ grants: [Grant], _ connection: LibPQConnection
    ) async throws -> DoctorFinding {
        let missing: [Grant]
        do {
            missing = try await self.missing(of: grants, role, connection)
        } catch let error as LibPQError where error.sqlState == "42704" {
            return DoctorFinding(
                "privileges", .error, "there is no role “\(role)”", advice: "Create it, or name another one.")
        } catch let error as LibPQError where error.sqlState == "42501" {
            // Only a role that may use the schema finds its objects by name. Whether a role may use it, every role sees.
            let hidden = try await self.missing(of: grants.filter { $0.kind == .schema }, role, connection)
            if hidden.isEmpty { throw error }
            return DoctorFinding(
                "privileges", .error,
                "the role “\(role)” cannot work as a \(kind): it lacks \(Self.list(hidden)), so what else it lacks is not seen",
                advice: self.advice(granting: grants, to: role))
        }
        let hidden = try await connection.query(LibPQStatement(self.statements.hiddenRows, [.text(role)])).map {
            try $0.decode(0, as: String.self)
        }
        if !hidden.isEmpty {
            return DoctorFinding(
                "privileges", .error,
                "row level security hides rows of \(hidden.joined(separator: ", ")) from the role “\(role)”",
                advice: """
                    Switch it off for these tables: ALTER TABLE … DISABLE ROW LEVEL SECURITY. Or ALTER ROLE \
                    \(SQLIdentifier(role).quoted) BYPASSRLS.
                    """)
        }
        if missing.isEmpty {
            return DoctorFinding("privileges", .ok, "the role “\(role)” has what a \(kind) needs")
        }
        let isEssential = missing.contains(where: \.isEssential)
        let what = isEssential ? "cannot work as a \(kind)" : "can work as a \(kind), but not remove what is old"
        return DoctorFinding(
            "privileges", isEssential ? .error : .warning,
            "the role “\(role)” \(what): it lacks \(Self.list(missing))",
            advice: self.advice(granting: missing, to: role))
    }

    private static func list(_ grants: [Grant]) -> String {
        grants.map { grant in
            let object = grant.kind == .schema ? "the schema" : grant.object
            return "\(grant.privileges.map(\.name).joined(separator: ", ")) on \(object)"
        }.joined(separator: "; ")
    }

    private func advice(granting grants: [Grant], to role: String) -> String {
        let quoted = SQLIdentifier(role).quoted
        return "As the owner of the schema: "
            + grants.map { $0.statement(to: quoted, in: self.schema) }.joined(separator: " ")
    }

    /// The privileges that a role needs and lacks.
    private func missing(of grants: [Grant], _ role: String, _ connection: LibPQConnection) async throws -> [Grant] {
        var parts: [(grant: Int, privilege: Int, name: String, column: String?)] = []
        for (index, grant) in grants.enumerated() {
            for (place, privilege) in grant.privileges.enumerated() {
                let columns: [String?] = privilege.columns.isEmpty ? [nil] : privilege.columns
                for column in columns { parts.append((index, place, privilege.name, column)) }
            }
        }
        let result = try await connection.query(
            LibPQStatement(
                self.statements.missingGrants,
                [
                    .text(role), .textArray(parts.map { grants[$0.grant].kind.rawValue }),
                    // A schema is looked up by its plain name, all other objects by their names as written in SQL.
                    .textArray(
                        parts.map { part in
                            let grant = grants[part.grant]
                            return grant.kind == .schema ? self.schema.name : grant.name(in: self.schema)
                        }),
                    .textArray(parts.map(\.name)), .textArray(parts.map(\.column)),
                ]))
        let lacking = try result.map { row in parts[Int(try row.decode(0, as: Int64.self)) - 1] }
        return grants.indices.compactMap { index in
            let places = Set(lacking.filter { $0.grant == index }.map(\.privilege))
            guard !places.isEmpty else { return nil }
            var grant = grants[index]
            grant.privileges = places.sorted().map { grants[index].privileges[$0] }
            return grant
        }
    }
}
