#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What the process has open.
struct OpenResources {
    let files: Int
    /// 0 where the system does not tell.
    let threads: Int

    static func now() -> OpenResources {
        OpenResources(files: self.entries(of: "/dev/fd"), threads: self.entries(of: "/proc/self/task"))
    }

    private static func entries(of folder: String) -> Int {
        (try? FileManager.default.contentsOfDirectory(atPath: folder).count) ?? 0
    }

    func growth(since before: OpenResources) -> Int {
        max(self.files - before.files, self.threads - before.threads)
    }
}
