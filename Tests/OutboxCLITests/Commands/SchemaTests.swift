import Testing

/// `outbox schema` and `outbox migrate`.
@Suite(.timeLimit(.minutes(10))) struct SchemaTests {
    @Test func printsSQLWithoutAServer() async throws {
        let ending = try await Program.outbox("schema", "--schema", "my outbox")
        #expect(ending.output.contains(#"CREATE TABLE "my outbox".message"#))
        let drop = try await Program.outbox("schema", "--drop")
        #expect(drop.output.contains("DROP TABLE"))
    }

    @Test func printsGrantsForTheRolesThatAreNamed() async throws {
        let both = try await Program.outbox("schema", "--grants")
        #expect(both.output.contains(#"TO "outbox_producer""#) && both.output.contains(#"TO "outbox_relay""#))
        #expect(both.output.contains(#"TO "outbox_monitor""#))
        let one = try await Program.outbox("schema", "--grants", "--producer", "shop")
        #expect(one.output.contains(#"TO "shop""#) && !one.output.contains("outbox_relay"))
        let monitor = try await Program.outbox("schema", "--grants", "--monitor", "grafana")
        #expect(monitor.output.contains(#"TO "grafana""#) && !monitor.output.contains("INSERT"))
    }

    @Test func refusesWhatExcludesEachOther() async throws {
        try await Program.outbox("schema", "--producer", "shop", status: 64)
        try await Program.outbox("schema", "--monitor", "grafana", status: 64)
        try await Program.outbox("schema", "--grants", "--drop", status: 64)
        let name = try await Program.outbox("schema", "--schema", "pg_mine", status: 64)
        #expect(name.error.hasPrefix("outbox: --schema:"))
    }

    @Test func aDriftedVersionIs78() async throws {
        let outbox = try await TestOutbox.migrated()
        try await outbox.sql("UPDATE {{schema}}.migration SET checksum = 'x'")
        #expect(try await outbox("migrate", "status", status: 78).output.contains("drifted"))
    }

    @Test func migratesUpAndDown() async throws {
        let outbox = try await TestOutbox.named()
        let before = try await outbox("migrate", "status", "--json", status: 78)
        #expect(try before.json()[0]["state"].string == "pending")

        let up = try await outbox("migrate", "up", "--json")
        #expect(try up.json()[0]["direction"].string == "up")
        #expect(try await outbox("migrate", "up").output.contains("up to date"))

        let after = try await outbox("migrate", "status")
        #expect(after.lines[0].hasPrefix("VERSION") && after.lines[1].contains("applied"))

        let unsure = try await outbox("migrate", "down", "--to", "0", status: 64)
        #expect(unsure.error.contains("--yes"))
        try await outbox("migrate", "status")
        try await outbox("migrate", "down", "--to", "0", "--yes")
        try await outbox("migrate", "status", status: 78)
    }
}
