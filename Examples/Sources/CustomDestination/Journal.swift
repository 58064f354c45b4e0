import Dispatch
import Outbox
import SystemPackage

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// A custom destination: a folder with a file for each route, to which messages are appended, a line each.
///
/// A line begins with the message's id, by which a reader passes over one that was delivered twice.
struct Journal: Sendable {
    let folder: FilePath
    /// Writing blocks, so it is not done on the threads that Swift's tasks share. In turn, so that lines do not mix.
    private let queue = DispatchQueue(label: "journal")

    init(folder: FilePath) {
        self.folder = folder
    }

    /// What to register for the destination.
    var handler: DestinationHandler {
        .handler(retry: HourlyRetry()) { message in try await deliver(message) }
    }

    /// Returns when the message is on disk.
    private func deliver(_ message: Message) async throws {
        guard let route = message.route, let name = FilePath.Component(route), name.kind == .regular else {
            // It will be as wrong the next time: a dead letter at once.
            throw DeliveryFailure.reject("the route is not the name of a file")
        }
        let payload = message.payload
        guard !payload.contains(UInt8(ascii: "\n")) else {
            throw DeliveryFailure.reject("the payload is more than a line")
        }
        let line = Array("\(message.id)\t".utf8) + payload + [UInt8(ascii: "\n")]
        do {
            try await withCheckedThrowingContinuation { continuation in
                queue.async { continuation.resume(with: Result { try append(line, to: folder.appending(name)) }) }
            }
        } catch let error as Errno where Self.outages.contains(error) {
            // No message would fare better: the attempt does not count, and one message at a time tries again.
            throw DeliveryFailure.unavailable("\(folder): \(error)")
        }
        // Any other error is thrown as it is: this message is tried again as the retry strategy says.
    }

    /// What concerns the folder as a whole.
    private static let outages: Set<Errno> = [.noSuchFileOrDirectory, .noSpace, .readOnlyFileSystem, .ioError]

    private func append(_ line: [UInt8], to path: FilePath) throws {
        let file = try FileDescriptor.open(
            path, .readWrite, options: [.append, .create], permissions: [.ownerReadWrite, .groupRead])
        try file.closeAfter {
            let end = try file.seek(offset: 0, from: .end)
            do {
                // A crash may have left half a line.
                try file.writeAll(isMidLine(file, end: end) ? [UInt8(ascii: "\n")] + line : line)
                guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
            } catch {
                try? file.resize(to: end)
                throw error
            }
        }
    }

    private func isMidLine(_ file: FileDescriptor, end: Int64) throws -> Bool {
        guard end > 0 else { return false }
        var last: [UInt8] = [0]
        _ = try last.withUnsafeMutableBytes { try file.read(fromAbsoluteOffset: end - 1, into: $0) }
        return last[0] != UInt8(ascii: "\n")
    }
}
