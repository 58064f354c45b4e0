import Logging
import Outbox
import OutboxSQL

extension PostgresSession {
    /// Sets the session up and checks what it needs: a primary server, the schema, its version, the role's privileges.
    func prepared() async throws(RelayError) -> PostgresSession {
        do {
            try await self.prepare()
        } catch {
            await self.connection.close()
            throw RelayError(explaining: error)
        }
        return self
    }

    private func prepare() async throws {
        let results = try await self.connection.pipeline([
            LibPQStatement(self.statements.configure.text, []), LibPQStatement(self.statements.inspect.text, []),
            LibPQStatement(self.statements.widen.text, []),
        ])
        let facts = results[1][0]
        guard let log = try facts.decode("message", as: Int64?.self),
            try facts.decode("migration", as: Int64?.self) != nil
        else {
            throw OutboxError.missing(self.schema)
        }
        if try facts.decode("standby", as: Bool.self) {
            throw RelayError(
                .standby, "The server is a standby, which is read only: connect the relay to the primary.")
        }
        if try facts.decode("replicated", as: Bool.self) {
            throw RelayError(
                .standby,
                """
                The log in the schema \(self.schema.identifier) is written by a subscription of logical replication, so its \
                messages have the numbers of another server. Deliver them there; here, a relay begins when the subscription \
                has been dropped (DROP SUBSCRIPTION).
                """)
        }
        if let hidden = try facts.decode("hidden", as: String?.self) {
            throw RelayError(
                .privilege,
                """
                Row level security is in force for this role on tables of the schema \(self.schema.identifier): \(hidden). It \
                would hide messages from the relay, which would pass them. Switch it off for these tables (ALTER TABLE … DISABLE \
                ROW LEVEL SECURITY), or give the relay's role BYPASSRLS.
                """)
        }
        self.logID = UInt32(truncatingIfNeeded: log)
        self.headersVerified = try facts.decode("headers_verified", as: Bool.self)
        self.characters = StorableCharacters(encoding: await self.connection.parameterStatus("server_encoding"))
        self.announcer = Announcer(name: await self.connection.parameterStatus("application_name") ?? "")
        try await self.checkVersion()
        try await self.checkPrivileges()
        let joined = try await self.connection.query(
            self.bound(
                self.statements.shareLocks, [self.lockKey, .int4Array([FleetLock.relays(of: self.subscription)])]))
        if try joined[0].decode(0, as: Int64.self) == 0 {
            self.logger.warning(
                "A session that is no relay holds the lock by which relays are counted: status does not show this one, and doctor says who it is"
            )
        }
    }

    private func checkVersion() async throws {
        let result = try await self.connection.query(LibPQStatement(self.statements.version.text, []))
        try SchemaVersion(result[0]).check(self.schema)
    }

    private func checkPrivileges() async throws {
        let result = try await self.connection.query(LibPQStatement(self.statements.missingPrivileges.text, []))
        var missing: [String] = []
        var missingForJanitor: [String] = []
        for row in result {
            let privilege = try row.decode(0, as: String.self)
            if try row.decode(1, as: Bool.self) {
                missingForJanitor.append(privilege)
            } else {
                missing.append(privilege)
            }
        }
        if !missing.isEmpty {
            throw OutboxError(
                .privilege,
                """
                The relay's role lacks privileges in the schema \(self.schema.identifier): \
                \(missing.joined(separator: ", ")). Grant them to it.
                """, schema: self.schema)
        }
        if !missingForJanitor.isEmpty, self.janitorSchedule != nil {
            // Delivering is worth more than tidying, and an outbox that was migrated has the grants of before.
            self.janitorSchedule = nil
            self.logger.warning(
                "The relay's role lacks privileges, so delivered messages stay in the log; grant it what a relay of this version needs",
                metadata: ["outbox.missing": "\(missingForJanitor.joined(separator: ", "))"])
        }
    }
}
