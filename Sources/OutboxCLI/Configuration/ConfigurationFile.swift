import OutboxRuntime
import Yams

/// Reads a configuration file, which is YAML, or JSON, as that is YAML too.
struct ConfigurationFile {
    /// What is wrong with a file: sentences that each begin with where.
    struct Failure: Error {
        let problems: [String]
    }

    private let path: String
    private var problems: [String] = []

    private init(path: String) {
        self.path = path
    }

    /// More than the routes of 10,000 destinations take.
    private static let longest = 16 << 20

    /// Reads a file into a layer of settings.
    ///
    /// - Throws: A ``Failure`` with all that is wrong with the file.
    static func layer(_ path: String) throws(Failure) -> ConfigurationLayer {
        let text: String?
        do throws(SmallFile.Failure) {
            text = String(validating: try SmallFile.bytes(path, atMost: Self.longest), as: UTF8.self)
        } catch {
            throw Failure(problems: [error.reason])
        }
        guard let text else { throw Failure(problems: ["\(path) is not UTF-8"]) }
        return try Self.layer(of: text, path: path)
    }

    /// Reads a text into a layer of settings.
    ///
    /// - Parameter path: What the file is called where something is wrong with it.
    static func layer(of text: String, path: String) throws(Failure) -> ConfigurationLayer {
        var file = ConfigurationFile(path: path)
        var layer = ConfigurationLayer()
        do {
            // A file that is empty says nothing.
            if let root = try Yams.compose(yaml: text) { file.read(root, into: &layer) }
        } catch {
            file.problems.append("\(path)\(Self.place(of: error)): \(Self.words(for: error))")
        }
        if !file.problems.isEmpty { throw Failure(problems: file.problems) }
        return layer
    }

    // MARK: Of the tree

    private mutating func read(_ root: Node, into layer: inout ConfigurationLayer) {
        guard case .mapping(let mapping) = root else {
            return self.note("has names and values at the top, such as routes:", at: root)
        }
        for (key, value) in mapping {
            guard let name = self.name(key) else { continue }
            if name == "routes" {
                self.readRoutes(value, into: &layer)
            } else {
                self.read(name, key, value, into: &layer, ConfigurationLayer.settings, others: ["routes"], prefix: "")
            }
        }
    }

    private mutating func readRoutes(_ node: Node, into layer: inout ConfigurationLayer) {
        guard case .mapping(let mapping) = node else {
            return self.note("routes has a name for each destination, and below it what “to” is", at: node)
        }
        for (key, value) in mapping {
            guard let name = self.name(key) else { continue }
            var route = RouteLayer()
            guard (1...255).contains(name.utf8.count) else {
                self.note("routes: a destination has 1 to 255 bytes", at: key)
                continue
            }
            route.destination = name == "*" ? nil : name
            route.line = key.mark?.line ?? 0
            switch value {
            case .mapping(let settings):
                for (key, value) in settings {
                    guard let setting = self.name(key) else { continue }
                    self.read(
                        setting, key, value, into: &route, RouteLayer.settings, others: [],
                        prefix: "routes.\(Redaction.shown(name)).")
                }
            // NAME: SINK is short for NAME: {to: SINK}.
            case .scalar(let scalar) where !Self.isNothing(scalar): route.sink.text = scalar.string
            default: self.note("routes.\(Redaction.shown(name)) has no “to”: where do the messages go?", at: key)
            }
            layer.routes.append(route)
        }
    }

    private mutating func read<Target>(
        _ name: String, _ key: Node, _ value: Node, into target: inout Target, _ settings: [Setting<Target>],
        others: [String], prefix: String
    ) {
        if name == "<<" {
            return self.note("\(prefix)<<: merging is not known here; what all routes share stands at the top", at: key)
        }
        guard let setting = settings.first(where: { $0.name == name }) else {
            let hint = NearestName.suggestion(for: name, among: settings.map(\.name) + others)
            return self.note("\(prefix)\(Redaction.shown(name)) is no setting; \(hint)", at: key)
        }
        guard case .scalar(let scalar) = value else {
            return self.note("\(prefix)\(name) is one value", at: value)
        }
        if Self.isNothing(scalar) { return self.note("\(prefix)\(name) has no value", at: key) }
        do throws(SettingDefect) {
            try setting.set(&target, to: scalar.string)
        } catch {
            self.note("\(prefix)\(name) \(error.rule)", at: value)
        }
    }

    private mutating func name(_ key: Node) -> String? {
        if case .scalar(let scalar) = key { return scalar.string }
        self.note("a name is a text", at: key)
        return nil
    }

    private mutating func note(_ problem: String, at node: Node) {
        let place = node.mark.map { ":\($0.line)" } ?? ""
        self.problems.append("\(self.path)\(place): \(problem)")
    }

    private static func isNothing(_ scalar: Node.Scalar) -> Bool {
        scalar.style == .plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    // MARK: What is no YAML

    private static func place(of error: any Error) -> String {
        switch error as? YamlError {
        case .scanner(_, _, let mark, _)?, .parser(_, _, let mark, _)?, .composer(_, _, let mark, _)?:
            ":\(mark.line)"
        case .duplicatedKeysInMapping(_, let context)?: ":\(context.mark.line)"
        default: ""
        }
    }

    private static func words(for error: any Error) -> String {
        switch error as? YamlError {
        case .scanner(_, let problem, _, _)?, .parser(_, let problem, _, _)?, .composer(_, let problem, _, _)?:
            "this is no YAML: \(problem)"
        case .duplicatedKeysInMapping(let duplicates, _)?:
            "\(duplicates.map { Redaction.shown($0) }.joined(separator: ", ")) is there twice"
        default: "this is no YAML"
        }
    }
}
