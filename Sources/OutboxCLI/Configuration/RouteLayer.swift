import ArgumentParser
import OutboxRuntime

/// A route of the configuration file: a destination, where its messages go, and how.
struct RouteLayer: Sendable {
    /// The destination's name; nil: every other destination.
    var destination: String?
    var sink = Reference()
    var username: String?
    var password = Reference()
    var secret = Reference()
    var token = Reference()
    var delivery = DeliveryLayer()
    /// Where it stands in the file.
    var line = 0

    /// A text, or where it is kept: a file, or a variable of the environment. At most one of them is given.
    struct Reference: Sendable {
        var text: String?
        var file: String?
        var variable: String?
    }

    static let settings: [Setting<RouteLayer>] =
        [
            .text(
                "to",
                "Where the messages go: an address such as amqps://mq/shop?exchange=orders, or stdout, file:PATH, exec:COMMAND, discard.",
                \.sink.text),
            .text("to_file", "A file that has what “to” would be, which may have secrets in it.", \.sink.file),
            .text("to_env", "A variable of the environment that has what “to” would be.", \.sink.variable),
            .text("username", "The user at the broker or the webhook.", \.username),
            .text("password_file", "A file with the password of that user.", \.password.file),
            .text("password_env", "A variable of the environment with the password of that user.", \.password.variable),
            .text("secret_file", "A file with the secrets that a webhook is signed with.", \.secret.file),
            .text("secret_env", "A variable of the environment with those secrets.", \.secret.variable),
            .text("token_file", "A file with the token that a webhook is shown.", \.token.file),
            .text("token_env", "A variable of the environment with that token.", \.token.variable),
        ] + DeliveryLayer.settings.map { $0.lifted(\.delivery) }

    /// The name that the file has for it.
    var name: String { self.destination ?? "*" }
}

extension RouteLayer.Reference {
    /// Where the text is kept: the setting that says so, and what it says.
    func place(_ name: String) -> String {
        if let file { return "\(name)_file: \(file)" }
        if let variable { return "\(name)_env: \(variable)" }
        return name
    }

    /// Reads the text.
    ///
    /// - Returns: nil: none of the three is given.
    /// - Throws: A ``SettingDefect`` that says what cannot be read, and not what was.
    func text(_ name: String, environment: [String: String]) throws(SettingDefect) -> String? {
        let count = [self.text, self.file, self.variable].count { $0 != nil }
        if count > 1 {
            throw SettingDefect(rule: "\(name) is given more than once: of itself, _file and _env there is one")
        }
        if let file {
            do throws(SecretFile.Failure) {
                return try SecretFile.text(file)
            } catch {
                throw SettingDefect(rule: "\(name)_file: \(error.reason)")
            }
        }
        if let variable {
            guard let value = environment[variable], !value.isEmpty else {
                throw SettingDefect(rule: "\(name)_env: the environment has no \(variable)")
            }
            return value
        }
        return self.text
    }
}

extension RouteLayer {
    /// The route with its sink, its secrets read.
    ///
    /// - Throws: A ``SettingDefect`` that says what is wrong with it.
    func argument(environment: [String: String]) throws(SettingDefect) -> RouteArgument {
        guard let text = try self.sink.text("to", environment: environment) else {
            throw SettingDefect(rule: "to is missing: where do the messages go?")
        }
        var sink: Sink
        do {
            sink = try RouteArgument.sink(text)
        } catch let error as ValidationError {
            throw SettingDefect(rule: "to: \(error.message)")
        } catch {
            throw SettingDefect(rule: "to: \(error)")
        }
        if let name = self.delivery.useless(for: sink).first {
            throw SettingDefect(rule: "\(name) has no effect on \(sink.kindName)")
        }
        var credentials: [BrokerSink.Credential: String] = [:]
        credentials[.username] = self.username
        credentials[.password] = try self.password.text("password", environment: environment)
        credentials[.secret] = try self.secret.text("secret", environment: environment)
        credentials[.token] = try self.token.text("token", environment: environment)
        if case .broker(var broker) = sink {
            let usable = broker.usableCredentials
            if let other = credentials.keys.filter({ !usable.contains($0) }).map(\.rawValue).min() {
                throw SettingDefect(rule: "\(other.lowercased()) has no effect on \(sink.kindName)")
            }
            broker.credentials = credentials
            if let defect = broker.credentialDefect(environment: environment) { throw SettingDefect(rule: defect) }
            if let defect = broker.secretDefect {
                throw SettingDefect(rule: "\(self.secret.place("secret")): \(defect)")
            }
            sink = .broker(broker)
        } else if let other = credentials.keys.map(\.rawValue).min() {
            throw SettingDefect(rule: "\(other.lowercased()) has no effect on \(sink.kindName)")
        }
        return RouteArgument(destination: self.destination, sink: sink, delivery: self.delivery)
    }
}
