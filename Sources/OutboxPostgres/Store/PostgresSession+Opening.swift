import Logging
import Outbox
import OutboxSQL

extension PostgresSession {
    /// Sets the session up and checks what it needs: a primary server, the schema, its version, the role's privileges.
    func prepared() async throws -> PostgresSession {
        do {
            try await self.prepare()
        } catch {
            await self.connection.close()
            throw (error as? LibPQError).map { RelayStoreError($0) } ?? error
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
            let error = OutboxError.missing(self.schema)
            throw RelayStoreError(error.message, remedy: .retryIfItHasWorked, underlying: error)
        }
        if try facts.decode("standby", as: Bool.self) {
            throw RelayStoreError(
                "The server is a standby, which is read only: connect the relay to the primary.", isRetriable: true)
        }
        if try facts.decode("replicated", as: Bool.self) {
            throw RelayStoreError(
                """
                The log in the schema \(self.schema.identifier) is written by a subscription of logical replication, so its \
                messages have the numbers of another server. Deliver them there; here, a relay begins when the subscription \
                has been dropped (DROP SUBSCRIPTION).
                """, isRetriable: true)
        }
        if let hidden = try facts.decode("hidden", as: String?.self) {
            throw RelayStoreError(
                """
                Row level security is in force for this role on tables of the schema \(self.schema.identifier): \(hidden). It \
                would hide messages from the relay, which would pass them. Switch it off for these tables (ALTER TABLE … DISABLE \
                ROW LEVEL SECURITY), or give the relay's role BYPASSRLS.
                """, remedy: .retryIfItHasWorked)
        }
        self.logID = UInt32(truncatingIfNeeded: log)
        self.headersVerified = try facts.decode("headers_verified", as: Bool.self)
        self.characters = StorableCharacters(encoding: await self.connection.parameterStatus("server_encoding"))
        self.announcer = Announcer(name: await self.connection.parameterStatus("application_name") ?? "")
        try await self.checkVersion()
        try await self.checkPrivileges()
        let joined = try await self.connection.query(
            self.bound(self.statements.join, [self.lockKey, .text(self.subscription)]))
        if try !joined[0].decode(0, as: Bool.self) {
            self.logger.warning(
                "A session that is no relay holds the lock by which relays are counted: status does not show this one, and doctor says who it is"
            )
        }
    }

    private func checkVersion() async throws {
        let result = try await self.connection.query(LibPQStatement(self.statements.version.text, []))
        do {
            try SchemaVersion(result[0]).check(self.schema)
        } catch let error as OutboxError {
            // Only another program can work with a newer schema; others may be brought up to date meanwhile.
            let remedy: RelayStoreError.Remedy = error.code == .schemaNewer ? .none : .retryIfItHasWorked
            throw RelayStoreError(error.message, remedy: remedy, underlying: error)
        }
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
            let error = OutboxError(
                .privilege,
                """
                The relay's role lacks privileges in the schema \(self.schema.identifier): \
                \(missing.joined(separator: ", ")). Grant them with what "outbox schema --grants" prints.
                """)
            throw RelayStoreError(error.message, remedy: .retryIfItHasWorked, underlying: error)
        }
        if !missingForJanitor.isEmpty, self.janitorSchedule != nil {
            // Delivering is worth more than tidying, and an outbox that was migrated has the grants of before.
            self.janitorSchedule = nil
            self.logger.warning(
                """
                The relay's role lacks privileges, so delivered messages stay in the log; grant them with what "outbox schema \
                --grants" prints
                """, metadata: ["outbox.missing": "\(missingForJanitor.joined(separator: ", "))"])
        }
    }
}
