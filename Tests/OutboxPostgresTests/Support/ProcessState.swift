import Foundation

enum ProcessState {
    /// Whether a process still runs. A zombie, which has ended and was not waited for, answers `kill(pid, 0)` as well, so
    /// on Linux its state is looked at.
    static func isRunning(_ process: Int32) -> Bool {
        #if os(Linux)
        guard let bytes = FileManager.default.contents(atPath: "/proc/\(process)/stat") else { return false }
        let afterName = String(decoding: bytes, as: UTF8.self).split(separator: ")").last?.dropFirst().first
        return afterName != "Z" && afterName != "X"
        #else
        return kill(process, 0) == 0
        #endif
    }

    /// Whether a process has been stopped by a signal.
    static func isStopped(_ process: Int32) -> Bool {
        #if os(Linux)
        guard let bytes = FileManager.default.contents(atPath: "/proc/\(process)/stat") else { return false }
        return String(decoding: bytes, as: UTF8.self).split(separator: ")").last?.dropFirst().first == "T"
        #else
        return true
        #endif
    }
}
