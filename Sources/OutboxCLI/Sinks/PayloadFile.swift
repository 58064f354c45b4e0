import Foundation

#if canImport(System)
import System
#else
import SystemPackage
#endif

/// A payload as a command's stdin: a file without a name, complete before the command begins.
///
/// Through a pipe, a relay that is killed while it writes would leave its command with the beginning of a payload, or with
/// nothing, and an end of file that looks like any other.
enum PayloadFile {
    /// Opens a file with that content, to be read from the beginning. The caller closes it.
    ///
    /// - Throws: An `Errno` when it cannot be written.
    static func open(_ payload: [UInt8]) throws -> FileDescriptor {
        let path = FilePath(Self.folder).appending("outbox-\(UInt64.random(in: 0 ... .max))")
        let file = try FileDescriptor.open(
            path, .readWrite, options: [.create, .exclusiveCreate, .closeOnExec], permissions: .ownerReadWrite)
        unsafe unlink(path.string)
        do {
            _ = try file.writeAll(payload)
            try file.seek(offset: 0, from: .start)
            return file
        } catch {
            try? file.close()
            throw error
        }
    }

    static var folder: String { ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp" }
}
