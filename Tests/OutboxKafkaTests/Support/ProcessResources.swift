import Foundation

/// What the process has.
struct ProcessResources {
    let files: Int
    let threads: Int
    let kilobytes: Int

    static func now() throws -> ProcessResources {
        let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
        return ProcessResources(
            files: try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count,
            threads: try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count,
            kilobytes: (pages.count > 1 ? Int(pages[1]) ?? 0 : 0) * 4)
    }
}
