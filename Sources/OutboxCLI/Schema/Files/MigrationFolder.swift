import Foundation

#if canImport(System)
import System
#else
import SystemPackage
#endif

/// A folder with the files of a migration tool.
struct MigrationFolder {
    let path: FilePath
    private let names: [String]

    /// - Throws: A `CommandFailure` if it cannot be read.
    init(_ path: String) throws {
        self.path = FilePath(path)
        do {
            self.names = try FileManager.default.contentsOfDirectory(atPath: path)
        } catch {
            throw CommandFailure(.usage, "--output: \(path) is no folder that can be read")
        }
    }

    /// The number behind the highest one of the tool's files, with as many digits.
    func nextNumber(for tool: MigrationTool) -> String {
        // Longer ones are no numbers that a tool counts on from.
        let numbers = self.names.compactMap(tool.number).filter { $0.utf8.count <= 18 }
        let highest = numbers.compactMap { text in UInt64(text).map { (value: $0, digits: text.utf8.count) } }
            .max { $0.value < $1.value }
        let next = String((highest?.value ?? 0) + 1)
        return String(repeating: "0", count: max(0, (highest?.digits ?? tool.digits) - next.utf8.count)) + next
    }

    /// A file that makes this change already, under whichever number.
    func file(of change: SchemaChange, for tool: MigrationTool) -> String? {
        self.names.first { name in
            guard let number = tool.number(in: name) else { return name == "\(change.name).py" && tool == .alembic }
            let rest = name.dropFirst(number.count + (tool == .flyway ? 1 : 0)).drop { "0123456789._".contains($0) }
            return rest == "\(change.name).sql" || rest == "\(change.name).up.sql"
        }
    }

    /// A file that has this number already, however it is written.
    func file(numbered number: String, for tool: MigrationTool) -> String? {
        let parts = tool.parts(of: number)
        return self.names.sorted().first { name in
            tool.fullNumber(in: name).map { tool.parts(of: $0) == parts } ?? false
        }
    }

    /// Whether there are revisions of Alembic in it.
    var hasRevisions: Bool {
        self.names.contains { name in
            name.hasSuffix(".py")
                && (try? String(contentsOfFile: self.path.appending(name).string, encoding: .utf8))?
                    .split(separator: "\n").contains { $0.hasPrefix("revision") } ?? false
        }
    }

    /// Writes files, all of them or none.
    ///
    /// - Returns: Their paths.
    /// - Throws: A `CommandFailure` if one cannot be written, or is there already.
    func write(_ files: [MigrationFile]) throws -> [String] {
        var written: [FilePath] = []
        do {
            for file in files {
                let path = self.path.appending(file.name)
                let descriptor = try FileDescriptor.open(
                    path, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
                    permissions: [.ownerReadWrite, .groupRead, .otherRead])
                written.append(path)
                try descriptor.closeAfter { _ = try descriptor.writeAll(file.text.utf8) }
            }
        } catch {
            for path in written { try? FileManager.default.removeItem(atPath: path.string) }
            throw CommandFailure(.failure, "--output: \(self.path): \(error)")
        }
        return written.map(\.string)
    }
}
