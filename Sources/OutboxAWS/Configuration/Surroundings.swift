#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What a process finds around it: variables of its environment, and files. Tests bring their own.
struct Surroundings: Sendable {
    private let variables: [String: String]
    private let read: @Sendable (String) -> String?
    private let isThere: @Sendable (String) -> Bool

    /// Those of this process.
    static var process: Surroundings {
        Surroundings(
            variables: ProcessInfo.processInfo.environment,
            read: { path in try? String(contentsOfFile: path, encoding: .utf8) },
            isThere: { path in FileManager.default.fileExists(atPath: path) })
    }

    init(
        variables: [String: String], read: @escaping @Sendable (String) -> String? = { _ in nil },
        isThere: @escaping @Sendable (String) -> Bool = { _ in false }
    ) {
        self.variables = variables
        self.read = read
        self.isThere = isThere
    }

    /// The value of a variable; an empty one is none.
    subscript(_ name: String) -> String? { self.variables[name].flatMap { $0.isEmpty ? nil : $0 } }

    /// The text of a file, `~/` being the folder of `HOME`; nil: it cannot be read.
    func text(ofFile path: String) -> String? { self.read(self.expanded(path)) }

    /// Whether a file is there and has no text that can be read.
    func isUnreadable(_ path: String) -> Bool {
        let path = self.expanded(path)
        return self.read(path) == nil && self.isThere(path)
    }

    /// No shell has done it for a value in a unit's file or a container's.
    private func expanded(_ path: String) -> String {
        guard path.hasPrefix("~/"), let home = self["HOME"] else { return path }
        return home + path.dropFirst()
    }
}
