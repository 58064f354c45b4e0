#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What a process finds around it: variables of its environment, and files. Tests bring their own.
struct Surroundings: Sendable {
    private let variables: [String: String]
    private let read: @Sendable (String) -> String?

    /// Those of this process.
    static var process: Surroundings {
        Surroundings(variables: ProcessInfo.processInfo.environment) { path in
            try? String(contentsOfFile: path, encoding: .utf8)
        }
    }

    init(variables: [String: String], read: @escaping @Sendable (String) -> String? = { _ in nil }) {
        self.variables = variables
        self.read = read
    }

    /// The value of a variable; an empty one is none.
    subscript(_ name: String) -> String? { self.variables[name].flatMap { $0.isEmpty ? nil : $0 } }

    /// The text of a file; nil: it cannot be read.
    func text(ofFile path: String) -> String? { self.read(path) }
}
