#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A file that a configuration names.
package enum ReadableFile {
    /// Why a file cannot be read, with its path; nil: it can be.
    package static func defect(of path: String) -> String? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        if descriptor >= 0 {
            close(descriptor)
            return nil
        }
        let reason = unsafe String(cString: strerror(errno))
        return "the file \(Redaction.isWhole(path) ? "“\(path)” " : "")cannot be read: \(reason)"
    }
}
