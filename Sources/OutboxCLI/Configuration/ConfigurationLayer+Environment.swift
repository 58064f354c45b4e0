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
        if let file { layer = try ConfigurationFile.layer(file) }
        var problems: [String] = []
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
    /// - Parameter file: What the file is called where something is wrong with it.
    func arguments(
        environment: [String: String], file: String
    ) throws(ConfigurationFile.Failure) -> [RouteArgument] {
        var arguments: [RouteArgument] = []
        var problems: [String] = []
        for route in self.routes {
            do throws(SettingDefect) {
                arguments.append(try route.argument(environment: environment))
            } catch {
                problems.append("\(file):\(route.line): routes.\(route.name): \(error.rule)")
            }
        }
        if !problems.isEmpty { throw ConfigurationFile.Failure(problems: problems) }
        return arguments
    }
}
