import Testing

@Suite(.schema, .timeLimit(.minutes(10))) struct SchemaScopeTests {
    @Test func namesAreIdentifiersWithPartOfTheTestsName() {
        #expect(SchemaScope.current.name.contains("_namesareidentifiers"))
        #expect(SchemaScope.current.name.utf8.count < 40)
    }

    @Test(arguments: 1...20)
    func everyCaseCanMakeASchemaOfItsOwn(_: Int) async throws {
        let server = try await TestServer.shared
        _ = try await server.psql("CREATE SCHEMA \(SchemaScope.current.name)", url: SchemaScope.current.url)
    }

    @Test(.schema) func aTestsOwnTraitIsEnough() async throws {
        #expect(try await TestServer.shared.psql("SHOW max_connections") == ["1000"])
    }
}
