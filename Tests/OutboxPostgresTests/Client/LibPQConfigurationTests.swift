import CLibPQ
import Foundation
import TestSupport
import Testing

@testable import OutboxPostgres

@Suite(.timeLimit(.minutes(10))) struct LibPQConfigurationTests {
    private func resolved(_ string: String) throws -> [String: String] {
        try LibPQConfiguration(string).resolved()
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
        var configuration = try LibPQConfiguration("tcp_user_timeout=5 client_encoding=LATIN1")
        configuration.parameters["keepalives_idle"] = "7"
        let parameters = try configuration.resolved()
        #expect(parameters["keepalives_idle"] == "7")
        #expect(parameters["keepalives_interval"] == "10")
        #expect(parameters["tcp_user_timeout"] == "5")
        #expect(parameters["client_encoding"] == "UTF8")
        #expect(parameters["fallback_application_name"] == "swift-outbox")
    }

    @Test func secretsAreNotShown() throws {
        var configuration = try LibPQConfiguration("host=h password=hunter2")
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
        let error = await postgresError { try LibPQConfiguration(string) }
        #expect(error?.code == .configuration)
        #expect(error?.description.contains("did you mean “\(expected)”") == true)
        #expect(error?.debugDescription.contains("hunter2") == false)
    }

    @Test(arguments: [
        "password=hunter2 and more", "password='hunter2", "postgresql://u:hunter2@[::1", "postgresql://u:hunter%2@h/",
        "postgresql:///?password=hunter2=", "hunter2", "postgresql://u@h:hunter2/x?y",
    ])
    func invalidStringsAreNotQuoted(string: String) async {
        let error = await postgresError { try LibPQConfiguration(string) }
        #expect(error?.code == .configuration)
        #expect(error?.debugDescription.contains("hunter2") == false)
    }

    @Test func nullIsRefused() async {
        #expect(await postgresError { try LibPQConfiguration("host=a\0b") }?.code == .configuration)
        #expect(
            await postgresError {
                var configuration = try LibPQConfiguration()
                configuration.parameters["host"] = "a\0b"
                return try configuration.resolved()
            }?.code == .configuration)
    }

    @Test(arguments: [
        ("host=@/tmp/abstract dbname=a", ["host": "@/tmp/abstract", "dbname": "a"]),
        ("postgresql://me@%40%2Ftmp/a", ["host": "@/tmp", "user": "me", "dbname": "a"]),
        ("postgresql:///a?host=/srv/a@b", ["host": "/srv/a@b"]),
        ("dbname='a=b'", ["dbname": "a=b"]), ("postgresql://h/a%3Db", ["dbname": "a=b", "host": "h"]),
        ("postgresql://h1:1,h2:2/a", ["host": "h1,h2", "port": "1,2"]),
        ("host=a@b", ["host": "a@b"]), ("user=me@work host=h", ["user": "me@work"]),
    ])
    func whatPsqlTakesIsTaken(string: String, expected: [String: String]) throws {
        let parameters = try resolved(string)
        for (name, value) in expected { #expect(parameters[name] == value) }
    }

    @Test(arguments: [
        "postgresql://u:p@hunter2@h/d", "postgresql://u:p@@hunter2/d", "dbname=postgresql://u:hunter2@h/d",
    ])
    func aPasswordThatIsNotEscapedIsNotShown(string: String) async {
        let error = await postgresError { try LibPQConfiguration(string) }
        #expect(error?.code == .configuration)
        #expect(error?.debugDescription.contains("hunter2") == false)
    }

    @Test func theLimitForConnectingCountsAllHosts() throws {
        func limit(_ string: String) throws -> Duration? {
            try EffectiveParameters(LibPQConfiguration(string).requested()).connectTimeout
        }
        #expect(try limit("host=a") == .seconds(10))
        #expect(try limit("host=a,b,c connect_timeout=7") == .seconds(21))
        #expect(try limit("hostaddr=127.0.0.1,127.0.0.2 connect_timeout=1") == .seconds(4))
        #expect(try limit("connect_timeout=0") == nil)
    }

    /// In a process of its own, for the environment belongs to all.
    @Test(.timeLimit(.minutes(5))) func randomConfigurationsMeanWhatTheyMeanToPsql() async {
        await #expect(processExitsWith: .success) {
            try compareRandomConfigurations()
        }
    }
}

private func compareRandomConfigurations() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SplitMix(state: seed)
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("outbox-service-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    for _ in 0..<1000 {
        let sample = Sample(using: &random)
        try sample.set(in: folder)
        let ours = effective(try LibPQConfiguration(sample.string).resolved(), expanding: false)
        let theirs = effective(["dbname": sample.string], expanding: true)
        for name in Set(ours.keys).union(theirs.keys) where name != "client_encoding" && name != "channel_binding" {
            let expected = theirs[name].flatMap { $0.isEmpty ? nil : $0 } ?? EffectiveParameters.defaults[name] ?? ""
            if ours[name] ?? "" != expected {
                Issue.record("\(name) is \(ours[name] ?? ""), not \(expected); seed \(seed): \(sample)")
                return
            }
        }
    }
}

/// Where the same parameter is said, and what.
private struct Sample: CustomStringConvertible {
    var string = ""
    var service: [String: String] = [:]
    var environment: [String: String] = [:]

    static let variables = [
        "host": "PGHOST", "port": "PGPORT", "dbname": "PGDATABASE", "user": "PGUSER", "application_name": "PGAPPNAME",
        "connect_timeout": "PGCONNECT_TIMEOUT", "options": "PGOPTIONS", "sslmode": "PGSSLMODE",
        "passfile": "PGPASSFILE",
        "target_session_attrs": "PGTARGETSESSIONATTRS",
    ]
    static let values: [String: [String]] = [
        "host": ["h", "@/tmp/x", "/srv/a@b", "h1,h2", "10.0.0.1"], "port": ["5433", "1"],
        "dbname": ["a=b", "d", "d d", "d'e", "100%"],
        "user": ["u", "u@v", "u:v/w"], "application_name": ["till", "a b\\c"], "connect_timeout": ["3", "0", "60"],
        "options": ["-c geqo=off"], "sslmode": ["disable", "prefer"], "passfile": ["/nowhere"],
        "target_session_attrs": ["read-write", "any"], "keepalives_idle": ["7"], "keepalives_interval": ["5"],
        "keepalives_count": ["9"], "tcp_user_timeout": ["1"], "fallback_application_name": ["back"],
        "keepalives": ["0"],
    ]

    init(using random: inout SplitMix) {
        func some(_ probability: Double, of names: some Sequence<String>) -> [String: String] {
            var chosen: [String: String] = [:]
            for name in names.sorted() where Double.random(in: 0..<1, using: &random) < probability {
                chosen[name] = Self.values[name]!.randomElement(using: &random)!
            }
            return chosen
        }
        environment = some(0.3, of: Self.variables.keys)
        service = some(0.3, of: Self.values.keys.filter { $0 != "passfile" })
        var given = some(0.2, of: Self.values.keys)
        if Bool.random(using: &random) { given["service"] = "shop" }
        if Bool.random(using: &random) {
            string = given.sorted { $0.key < $1.key }.map { name, value in
                "\(name)='" + value.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'"
            }.joined(separator: " ")
        } else {
            let query = given.sorted { $0.key < $1.key }.map { name, value in
                name + "=" + value.addingPercentEncoding(withAllowedCharacters: .alphanumerics)!
            }
            string = "postgresql://" + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
        }
        if given["service"] == nil, Bool.random(using: &random) { environment["service"] = "shop" }
    }

    func set(in folder: URL) throws {
        let file = folder.appendingPathComponent("services")
        let lines = service.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        try ("[shop]\n" + lines.joined(separator: "\n") + "\n").write(to: file, atomically: true, encoding: .utf8)
        unsafe setenv("PGSERVICEFILE", file.path, 1)
        for (name, variable) in Self.variables.merging(["service": "PGSERVICE"], uniquingKeysWith: { $1 }) {
            if let value = environment[name] { unsafe setenv(variable, value, 1) } else { unsafe unsetenv(variable) }
        }
    }

    var description: String { "\(string); service \(service); environment \(environment)" }
}

/// What libpq makes of parameters, without connecting.
private func effective(_ parameters: [String: String], expanding: Bool) -> [String: String] {
    // The impossible one comes last: of two, the last counts.
    let names = CStringArray(Array(parameters.keys) + ["channel_binding"])
    let values = CStringArray(Array(parameters.values) + ["none of them"])
    let connection = unsafe PQconnectStartParams(names.pointer, values.pointer, expanding ? 1 : 0)
    defer { unsafe PQfinish(connection) }
    var effective: [String: String] = [:]
    guard let options = unsafe PQconninfo(connection) else { return [:] }
    defer { unsafe PQconninfoFree(options) }
    unsafe LibPQConfiguration.forEach(options) { name, value in effective[name] = value }
    return effective
}
