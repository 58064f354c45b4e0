#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Reads a file that has a secret alone, as orchestrators mount them.
enum SecretFile {
    /// Why there is none.
    struct Failure: Error {
        let reason: String
    }

    /// Longer than any secret.
    private static let longest = 64 << 10

    /// The text of a file, without the line's end that editors put there.
    static func text(_ path: String) throws(Failure) -> String {
        let bytes: [UInt8]
        do throws(SmallFile.Failure) {
            bytes = try SmallFile.bytes(path, atMost: Self.longest, isRegular: true)
        } catch {
            throw Failure(reason: error.reason)
        }
        return try self.text(of: bytes, from: path)
    }

    /// The text of what a file has, or a command has written.
    ///
    /// - Parameter source: What it came from, for what is said if it is none.
    static func text(of bytes: [UInt8], from source: String) throws(Failure) -> String {
        guard var text = String(validating: bytes, as: UTF8.self) else {
            throw Failure(reason: "\(source) is not UTF-8")
        }
        if text.last?.isNewline == true { text.removeLast() }
        if text.isEmpty { throw Failure(reason: "\(source) is empty") }
        return text
    }
}

/// Reads files that are not long.
enum SmallFile {
    /// Why one cannot be read: a sentence with its path.
    struct Failure: Error {
        let reason: String
    }

    /// All bytes of a file.
    ///
    /// - Parameter isRegular: Whether it has to be a file, since it is read again, and nothing may be waited for.
    static func bytes(_ path: String, atMost limit: Int, isRegular: Bool = false) throws(Failure) -> [UInt8] {
        // Of a pipe that nothing has opened to write, that would be waited for.
        let number = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard number >= 0 else {
            throw Failure(reason: "\(path) cannot be read: \(Descriptor.Failure(code: errno).reason)")
        }
        defer { close(number) }
        var facts = stat()
        if isRegular, unsafe fstat(number, &facts) != 0 || facts.st_mode & S_IFMT != S_IFREG {
            throw Failure(reason: "\(path) is no file that can be read more than once")
        }
        var bytes: [UInt8] = []
        do throws(Descriptor.Failure) {
            while bytes.count <= limit {
                let more = try Descriptor(number).read(upTo: limit + 1 - bytes.count)
                if more.isEmpty { return bytes }
                bytes += more
            }
        } catch {
            throw Failure(reason: "\(path) cannot be read: \(error.reason)")
        }
        throw Failure(reason: "\(path) has more than \(limit) bytes")
    }
}
