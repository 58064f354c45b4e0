import Testing

@testable import OutboxPostgres

@Suite struct ConnectionConfigurationTests {
    private func resolved(_ string: String) throws -> [String: String] {
        try ConnectionConfiguration(string).resolved()
    }

    @Test(arguments: [
        "postgresql://me:secret@db.example:6543/shop?application_name=till",
        "postgres://me:secret@db.example:6543/shop?application_name=till",
        "host=db.example port=6543 user=me password=secret dbname=shop application_name=till",
    ])
    func forms(string: String) throws {
        let parameters = try resolved(string)
        #expect(parameters["host"] == "db.example")
        #expect(parameters["port"] == "6543")
        #expect(parameters["user"] == "me")
        #expect(parameters["password"] == "secret")
        #expect(parameters["dbname"] == "shop")
        #expect(parameters["application_name"] == "till")
    }

    @Test func defaultsAndOverrides() throws {
        var configuration = try ConnectionConfiguration("tcp_user_timeout=5 client_encoding=LATIN1")
        configuration.parameters["keepalives_idle"] = "7"
        let parameters = try configuration.resolved()
        #expect(parameters["keepalives_idle"] == "7")
        #expect(parameters["keepalives_interval"] == "10")
        #expect(parameters["tcp_user_timeout"] == "5")
        #expect(parameters["client_encoding"] == "UTF8")
        #expect(parameters["fallback_application_name"] == "swift-outbox")
    }

    @Test func secretsAreNotShown() throws {
        var configuration = try ConnectionConfiguration("host=h password=hunter2")
        configuration.parameters["sslpassword"] = "hunter3"
        #expect(configuration.description == "host=h password=*** sslpassword=***")
        var dumped = ""
        dump(configuration, to: &dumped)
        for text in ["\(configuration)", String(reflecting: configuration), "\([configuration])", dumped] {
            #expect(!text.contains("hunter"))
        }
    }

    @Test(arguments: [
        ("hots=localhost", "host"), ("postgresql:///?sslmod=require", "sslmode"), ("dbnam=x", "dbname"),
        ("pasword=hunter2", "password"),
    ])
    func nearestName(string: String, expected: String) async {
        let error = await postgresError { try ConnectionConfiguration(string) }
        #expect(error?.code == .configuration)
        #expect(error?.description.contains("did you mean “\(expected)”") == true)
        #expect(error?.debugDescription.contains("hunter2") == false)
    }

    @Test(arguments: [
        "password=hunter2 and more", "password='hunter2", "postgresql://u:hunter2@[::1", "postgresql://u:hunter%2@h/",
        "postgresql:///?password=hunter2=", "hunter2", "postgresql://u@h:hunter2/x?y",
    ])
    func invalidStringsAreNotQuoted(string: String) async {
        let error = await postgresError { try ConnectionConfiguration(string) }
        #expect(error?.code == .configuration)
        #expect(error?.debugDescription.contains("hunter2") == false)
    }

    @Test func nullIsRefused() async {
        #expect(await postgresError { try ConnectionConfiguration("host=a\0b") }?.code == .configuration)
        #expect(
            await postgresError {
                var configuration = try ConnectionConfiguration()
                configuration.parameters["host"] = "a\0b"
                return try configuration.resolved()
            }?.code == .configuration)
    }
}
