import OutboxRuntime

extension ConfigurationLayer {
    /// The layers of a file and of the environment, which lies above it.
    ///
    /// - Parameter file: nil: there is none.
    /// - Throws: A ``ConfigurationFile/Failure``.
    static func read(
        file: String?, environment: [String: String]
    ) throws(ConfigurationFile.Failure) -> ConfigurationLayer {
        var layer = ConfigurationLayer()
        var problems: [String] = []
        if let file {
            do throws(ConfigurationFile.Failure) {
                layer = try ConfigurationFile.layer(file)
            } catch {
                problems = error.problems
            }
        }
        func isGiven(_ name: String) -> Bool { environment[name]?.isEmpty == false }
        // A password is that of the server beside which it stands, and there is one.
        if ["OUTBOX_POSTGRES", "OUTBOX_PASSWORD_FILE", "OUTBOX_PASSWORD_COMMAND"].contains(where: isGiven) {
            (layer.server.passwordFile, layer.server.passwordCommand) = (nil, nil)
        }
        for setting in Self.settings {
            // A variable that is empty is as good as none: that is how a shell takes one away for a command.
            guard let text = environment[setting.variable], !text.isEmpty else { continue }
            do throws(SettingDefect) {
                try setting.set(&layer, to: text)
            } catch {
                problems.append("\(setting.variable) \(error.rule)")
            }
        }
        if !problems.isEmpty { throw ConfigurationFile.Failure(problems: problems) }
        return layer
    }

    /// The routes with their sinks, their secrets read.
    ///
    /// - Parameters:
    ///   - file: What the file is called where something is wrong with it.
    ///   - others: Destinations, by name, nil for all others, that have a route from elsewhere.
    func arguments(
        environment: [String: String], file: String, but others: Set<String?> = []
    ) throws(ConfigurationFile.Failure) -> [RouteArgument] {
        var arguments: [RouteArgument] = []
        var problems: [String] = []
        for route in self.routes where !others.contains(route.destination) {
            do throws(SettingDefect) {
                arguments.append(try route.argument(environment: environment))
            } catch {
                problems.append("\(file):\(route.line): routes.\(Redaction.shown(route.name)): \(error.rule)")
            }
        }
        if !problems.isEmpty { throw ConfigurationFile.Failure(problems: problems) }
        return arguments
    }
}
