import ArgumentParser
import Foundation
import Outbox
import OutboxPostgres
import OutboxRuntime
import Testing

@testable import OutboxCLI

/// The configuration file and the environment: what they can say, and what is said of what they cannot.
@Suite(.timeLimit(.minutes(5))) struct ConfigurationFileTests {
    private func problems(_ text: String) -> [String] {
        do throws(ConfigurationFile.Failure) {
            let layer = try ConfigurationFile.layer(of: text, path: "f")
            _ = try layer.arguments(environment: [:], file: "f")
            return []
        } catch {
            return error.problems
        }
    }

    // MARK: Settings

    /// A text that a setting can be, and one that it cannot.
    private static func samples(of kind: SettingKind) -> (good: String, bad: String) {
        switch kind {
        case .text: ("x", "")
        case .count(let range): (String(min(range.lowerBound + 1, range.upperBound)), "0")
        case .number(let least): (String(least + 1), "x")
        case .interval: ("90s", "soon")
        case .intervalOr(let word): (word, "soon")
        case .flag: ("false", "perhaps")
        case .choice(let words): (words.last ?? "", "neither")
        case .address: ("127.0.0.1:9464", "9464")
        }
    }

    @Test(arguments: ConfigurationLayer.settings.map(\.name))
    func everySettingIsTakenFromTheFileAndTheEnvironment(name: String) throws {
        let setting = try #require(ConfigurationLayer.settings.first { $0.name == name })
        let (good, bad) = Self.samples(of: setting.kind)
        let fromFile = try ConfigurationFile.layer(of: "\(name): \(good)", path: "f")
        let fromEnvironment = try ConfigurationLayer.read(file: nil, environment: [setting.variable: good])
        #expect(String(describing: fromFile) != String(describing: ConfigurationLayer()))
        #expect(String(describing: fromFile) == String(describing: fromEnvironment))
        let problems = self.problems("\n\(name): \"\(bad)\"")
        #expect(problems.count == 1)
        #expect(problems.allSatisfy { $0.hasPrefix("f:2: \(name) is ") }, "\(problems)")
        if !bad.isEmpty {
            #expect(throws: ConfigurationFile.Failure.self) {
                try ConfigurationLayer.read(file: nil, environment: [setting.variable: bad])
            }
        }
    }

    @Test(arguments: RouteLayer.settings.map(\.name))
    func everySettingOfARouteIsTaken(name: String) throws {
        let setting = try #require(RouteLayer.settings.first { $0.name == name })
        let (good, bad) = Self.samples(of: setting.kind)
        let route = try #require(
            try ConfigurationFile.layer(of: "routes: {d: {\(name): \(good)}}", path: "f").routes.first)
        #expect(String(describing: route).contains(setting.kind == .text ? good : "Optional("))
        let problems = self.problems("routes:\n  d:\n    \(name): \"\(bad)\"")
        #expect(problems.first?.hasPrefix("f:3: routes.d.\(name) is ") == true, "\(problems)")
    }

    /// An option and its setting have one name: only those differ that say no to something, and what is asked for once.
    @Test func everyOptionOfARelayIsASetting() throws {
        let others: Set = [
            "route", "until-empty", "once", "check", "check-config", "config-schema", "config", "events", "events-of",
            "help", "version", "unordered", "no-breaker", "no-fallback-poll", "no-prepared-statements",
        ]
        let settings = Set(ConfigurationLayer.settings.map { $0.name.replacing("_", with: "-") })
        let options = RelayCommand.helpMessage(columns: 200).split(separator: "\n").flatMap { line in
            // Options stand at the beginning of a line.
            line.prefix(60).matches(of: /(?:^  |\/|, )--([a-z-]+)/).map { String($0.1) }
        }
        #expect(options.count > 25)
        #expect(Set(options).subtracting(others).subtracting(settings) == [])
        for (option, setting) in [
            ("unordered", "order"), ("no-breaker", "breaker"), ("no-fallback-poll", "fallback-poll"),
            ("no-prepared-statements", "prepared-statements"),
        ] {
            #expect(options.contains(option) && settings.contains(setting))
        }
    }

    @Test func theSchemaForEditorsIsTheOneInTheDocumentation() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        let kept = try String(contentsOf: root.appending(path: "docs/outbox.schema.json"), encoding: .utf8)
        #expect(kept == ConfigurationSchema.text, "outbox relay --config-schema >docs/outbox.schema.json")
        let json = try #require(try JSONSerialization.jsonObject(with: Data(kept.utf8)) as? [String: Any])
        let properties = try #require(json["properties"] as? [String: Any])
        #expect(Set(properties.keys) == Set(ConfigurationLayer.settings.map(\.name) + ["routes"]))
    }

    @Test func theDocumentationHasEverySettingAndItsExampleCanBeRead() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        let page = try String(contentsOf: root.appending(path: "docs/configuration.md"), encoding: .utf8)
        let settings =
            ConfigurationLayer.settings.map { ($0.name, $0.help) } + RouteLayer.settings.map { ($0.name, $0.help) }
        for (name, help) in settings { #expect(page.contains("| `\(name)` | \(help) |")) }
        let parts = page.split(separator: "```yaml\n")
        let example = try #require(parts.dropFirst().first?.split(separator: "```").first)
        #expect(try ConfigurationFile.layer(of: String(example), path: "f").routes.count == 5)
    }

    // MARK: Layers

    @Test func aRouteGoesBeforeWhatHoldsForAllAndAnOptionBeforeBoth() throws {
        let layer = try ConfigurationFile.layer(
            of: """
                concurrency: 8
                max_attempts: 20
                max_delay: 1m
                breaker_failures: 3
                routes:
                  mail:
                    to: exec:./send
                    max_attempts: 3
                    park_after: never
                    order: none
                  "*": stdout
                """, path: "f")
        #expect(layer.routes.map(\.destination) == ["mail", nil])
        let mail = layer.routes[0].delivery.settings.merged(over: layer.delivery.settings)
        #expect(mail.concurrency == 8 && mail.ordering == .unordered && mail.parking == .never)
        #expect(mail.retry as? BackoffRetryStrategy == .exponential(maximumAttempts: 3, maximumDelay: .seconds(60)))
        #expect(mail.breaker == .opening(afterFailures: 3))
        let other = layer.routes[1].delivery.settings.merged(over: layer.delivery.settings)
        #expect(other.retry as? BackoffRetryStrategy == .exponential(maximumAttempts: 20, maximumDelay: .seconds(60)))
        let option = try RelayOptions.parse(["--max-attempts", "7"]).delivery.merged(over: mail)
        #expect(option.retry as? BackoffRetryStrategy == .exponential(maximumAttempts: 7, maximumDelay: .seconds(60)))
    }

    @Test func theEnvironmentGoesBeforeTheFile() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/f.yaml"
            try "schema: a\nwindow: 9000\n".write(toFile: path, atomically: true, encoding: .utf8)
            let layer = try ConfigurationLayer.read(
                file: path, environment: ["OUTBOX_SCHEMA": "b", "OUTBOX_PAGE": "", "OUTBOX_OTHER": "x"])
            #expect(layer.server.schema == "b" && layer.relay.window == 9000 && layer.relay.page == nil)
        }
    }

    @Test func anEmptyFileSaysNothing() throws {
        for text in ["", "\n", "# nothing\n", "---\n", "{}"] {
            let layer = try? ConfigurationFile.layer(of: text, path: "f")
            // A document that is empty is a nothing, which has no names.
            if text == "---\n" { continue }
            #expect(layer.map { String(describing: $0) } == String(describing: ConfigurationLayer()), "\(text)")
        }
    }

    /// Members that belong together may come from different layers.
    @Test func aBreakerIsPutTogetherFromAllLayers() throws {
        func breaker(_ text: String) throws -> BreakerPolicy? {
            let layer = try ConfigurationFile.layer(of: text, path: "f")
            return try #require(layer.routes.first).delivery.merged(over: layer.delivery).settings.breaker
        }
        #expect(
            try breaker("breaker_failures: 2\nroutes: {d: {to: stdout, breaker_max_delay: 10s}}")
                == .opening(afterFailures: 2, maximumDelay: .seconds(10)))
        #expect(try breaker("breaker: false\nroutes: {d: {to: stdout, breaker_failures: 2}}") == .off)
        #expect(
            try breaker("breaker: false\nbreaker_failures: 3\nroutes: {d: {to: stdout, breaker: true}}")
                == .opening(afterFailures: 3))
        #expect(try breaker("routes: {d: stdout}") == nil)
    }

    /// As each of them alone, so on top of another layer that has it: none is forgotten where layers are put together.
    @Test(arguments: DeliveryLayer.settings.map(\.name))
    func everySettingOfDeliveryGoesBeforeTheLayerBelow(name: String) throws {
        let setting = try #require(DeliveryLayer.settings.first { $0.name == name })
        var upper = DeliveryLayer()
        try setting.set(&upper, to: Self.samples(of: setting.kind).good)
        #expect(String(describing: upper.merged(over: DeliveryLayer())) == String(describing: upper))
        #expect(String(describing: DeliveryLayer().merged(over: upper)) == String(describing: upper))
    }

    @Test func aPasswordBelongsToTheServerBesideWhichItStands() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/f.yaml"
            try "postgres: host=a\npassword_command: echo x\n".write(toFile: path, atomically: true, encoding: .utf8)
            func server(_ environment: [String: String]) throws -> ServerLayer {
                try ConfigurationLayer.read(file: path, environment: environment).server
            }
            #expect(try server([:]).passwordCommand == "echo x")
            let other = try server(["OUTBOX_POSTGRES": "host=b"])
            #expect(other.postgres == "host=b" && other.passwordCommand == nil)
            let file = try server(["OUTBOX_PASSWORD_FILE": "/p"])
            #expect(file.postgres == "host=a" && file.passwordCommand == nil && file.passwordFile == "/p")
            let options = try ServerOptions.parse(["--config", path])
            #expect(try options.configuration(application: "x").password != nil)
            let named = try ServerOptions.parse(["--config", path, "--postgres", "host=c"])
            #expect(try named.configuration(application: "x").password == nil)
        }
    }

    // MARK: What cannot be

    /// Nothing that can be written ends the process where a plan is made of it: a relay at work makes one at SIGHUP.
    @Test func theExtremesOfEverySettingMakeAPlanOrAProblem() async throws {
        try await withTemporaryFolder { folder in
            var number = 0
            for setting in ConfigurationLayer.settings {
                for text in ["0", "1us", "1ms", "10000d", "1", "\(Int.max)", "1e300", "1024", "never", "false", "x"] {
                    number += 1
                    let path = "\(folder)/\(number).yaml"
                    try "\(setting.name): \(text)\n".write(toFile: path, atomically: true, encoding: .utf8)
                    let command = try #require(
                        try RelayCommand.parseAsRoot(["--config", path, "--route", "*=discard"]) as? RelayCommand)
                    _ = try? RelayPlan(command, environment: [:])
                }
            }
            #expect(number > 300)
        }
    }

    @Test func whatIsWrongWithTheEnvironmentIsSaidBesideTheFile() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/f.yaml"
            try "polll: 1s\n".write(toFile: path, atomically: true, encoding: .utf8)
            let failure = #expect(throws: ConfigurationFile.Failure.self) {
                try ConfigurationLayer.read(file: path, environment: ["OUTBOX_PAGE": "x"])
            }
            #expect(failure?.problems.count == 2)
        }
    }

    @Test func aSecretIsNoPipe() async throws {
        try await withTemporaryFolder { folder in
            let path = folder + "/pipe"
            let isMade = unsafe mkfifo(path, 0o600) == 0
            #expect(isMade)
            #expect(throws: SecretFile.Failure.self) { try SecretFile.text(path) }
        }
    }

    @Test(arguments: [
        ("concurrncy: 1", "f:1: concurrncy is no setting; did you mean “concurrency”?"),
        ("route: {}", "f:1: route is no setting; did you mean “routes”?"),
        ("routes: {d: {too: stdout}}", "f:1: routes.d.too is no setting; did you mean “to”?"),
        ("concurrency: 1025", "f:1: concurrency is a whole number, 1 to 1024"),
        ("concurrency: 1.5", "f:1: concurrency is a whole number, 1 to 1024"),
        ("page: 0", "f:1: page is a whole number, at least 1"), ("page:", "f:1: page has no value"),
        ("page: ~", "f:1: page has no value"), ("page: [1]", "f:1: page is one value"),
        ("jitter: maybe", "f:1: jitter is true or false"), ("order: none at all", "f:1: order is key, none"),
        ("timeout: 0", "f:1: timeout is more than 0s"),
        ("park_after: 0", "f:1: park_after is more than 0s, or “never”"),
        ("max_delay: 20000d", "f:1: max_delay is at most 10000d"),
        ("page: 1\npage: 2", "f:1: page is there twice"),
        ("routes: {d: stdout, d: discard}", "f:1: d is there twice"),
        ("- page", "f:1: has names and values at the top, such as routes:"),
        ("routes: [d]", "f:1: routes has a name for each destination, and below it what “to” is"),
        ("routes: {d: }", "f:1: routes.d has no “to”: where do the messages go?"),
        ("routes: {d: {}}", "f:1: routes.d: to is missing: where do the messages go?"),
        ("routes: {\"\": stdout}", "f:1: routes: a destination has 1 to 255 bytes"),
        ("routes: {d: stdoutt}", "f:1: routes.d: to: “stdoutt” is no sink; did you mean “stdout”?"),
        (
            "routes: {d: {to: stdout, to_env: X}}",
            "f:1: routes.d: to is given more than once: of itself, _file and _env there is one"
        ),
        ("routes: {d: {to_env: NONE}}", "f:1: routes.d: to_env: the environment has no NONE"),
        (
            "routes: {d: {to_file: /nonexistent}}",
            "f:1: routes.d: to_file: /nonexistent cannot be read: No such file or directory"
        ),
        // What has no effect is not taken in silence.
        ("routes: {d: {to: \"amqp://mq\", timeout: 3s}}", "f:1: routes.d: timeout has no effect on amqp://"),
        ("routes: {d: {to: stdout, park_after: 3s}}", "f:1: routes.d: park_after has no effect on stdout"),
        ("routes: {d: {to: \"exec:x\", batch: 5}}", "f:1: routes.d: batch has no effect on exec"),
        ("routes: {d: {to: \"exec:x\", username: me}}", "f:1: routes.d: username has no effect on exec"),
        (
            "routes: {d: {to: \"kafka://k\", token_file: /dev/null}}",
            "f:1: routes.d: token_file: /dev/null is no file that can be read more than once"
        ),
        ("poll: 999us", "f:1: poll is at least 1ms"),
        ("<<: {page: 1}", "f:1: <<: merging is not known here; what all routes share stands at the top"),
        (
            "routes: {d: {to: \"amqp://u:p@mq\", username: me, password_file: /etc/hostname}}",
            "f:1: routes.d: username has no effect: the address has a login"
        ),
        (
            "routes: {d: {to: \"amqp://mq\", username: me}}",
            "f:1: routes.d: username needs a password, from password_file or password_env"
        ),
        (
            "routes: {d: {to: \"amqp://mq\", password_file: /etc/hostname}}",
            "f:1: routes.d: password needs a username"
        ),
        (
            "routes: {d: {to: \"https://h.example/x?outbox.token=t\", token_file: /etc/hostname}}",
            "f:1: routes.d: token has no effect: the address has a login"
        ),
        (
            "routes: {d: {to: stdout, breaker: false, breaker_failures: 2}}",
            "f:1: routes.d: breaker_failures has no effect on stdout"
        ),
        ("routes: {d: {to: \"sqs://q\", username: me}}", "f:1: routes.d: username has no effect on sqs://"),
    ]) func whatCannotBeIsSaidWithItsLine(text: String, problem: String) {
        #expect(self.problems(text) == [problem])
    }

    @Test func allProblemsAreSaidAtOnce() {
        #expect(self.problems("pagee: 1\nwindow: x\nroutes:\n  d:\n    tu: stdout\n").count == 3)
    }

    @Test(arguments: ["a: [", "a:\n\t- b", "\"a", "a: b: c", "&a *b", "%x", "a: !!binary ="])
    func whatIsNoYAMLIsAProblem(text: String) {
        #expect(self.problems(text).count == 1)
    }

    /// Whatever is wrong, and wherever, what is said of it has no secret in it.
    @Test func noSecretIsSaid() {
        let secret = "zQ7xWj9kVq"
        let address = "amqp://me:\(secret)@mq/shop?exchange=orders"
        for text in [
            "routes: {d: \"x\(address)\"}", "routes: {d: {to: \"\(address)\", timeout: 1s}}",
            "routes: {d: {\"\(address)\": 1}}", "\"\(address)\": 1", "page: \"\(address)\"",
            "routes: {d: {to: \"amqp//me:\(secret)@mq\"}}", "postgres: {a: \"\(secret)\"}",
            "\"\(address)\": 1\n\"\(address)\": 1", "routes: {d: \"\(secret):x\"}",
            "routes: {\"\(address)\": {bogus: 1}}", "routes: {\"\(address)\": {}}", "routes: {\"\(address)\": }",
        ] {
            let problems = self.problems(text)
            #expect(!problems.isEmpty)
            #expect(problems.allSatisfy { !$0.contains(secret) }, "\(problems)")
        }
    }

    /// What is wrong with a secret is said of the file that it is in.
    @Test func aSecretThatIsNoneIsSaidWithItsFile() async throws {
        try await withTemporaryFolder { folder in
            for (secret, defect) in [("zQ7xWj9kVq", "zQ7x"), (" ", "")] {
                try secret.write(toFile: folder + "/secret", atomically: true, encoding: .utf8)
                for (setting, place) in [
                    ("secret_file: \(folder)/secret", "secret_file: \(folder)/secret: "),
                    ("secret_env: HOOK", "secret_env: HOOK: "),
                ] {
                    let text = "routes:\n  d:\n    to: https://h.example/x\n    \(setting)\n"
                    let layer = try ConfigurationFile.layer(of: text, path: "f")
                    let failure = #expect(throws: ConfigurationFile.Failure.self) {
                        try layer.arguments(environment: ["HOOK": secret], file: "f")
                    }
                    #expect(failure?.problems.count == 1)
                    let problem = failure?.problems.first ?? ""
                    #expect(problem.hasPrefix("f:2: routes.d: \(place)"), "\(problem)")
                    #expect(defect.isEmpty || !problem.contains(defect))
                }
            }
        }
    }

    @Test func secretsAreReadFromFilesAndTheEnvironment() async throws {
        try await withTemporaryFolder { folder in
            try "hidden\n".write(toFile: folder + "/password", atomically: true, encoding: .utf8)
            let layer = try ConfigurationFile.layer(
                of: """
                    routes:
                      d:
                        to_env: ADDRESS
                        username: me
                        password_file: \(folder)/password
                    """, path: "f")
            let arguments = try layer.arguments(environment: ["ADDRESS": "amqp://mq?exchange=x"], file: "f")
            guard case .broker(let broker) = arguments.first?.sink else {
                Issue.record("it is a broker")
                return
            }
            #expect(broker.credentials == [.username: "me", .password: "hidden"])
        }
    }
}
