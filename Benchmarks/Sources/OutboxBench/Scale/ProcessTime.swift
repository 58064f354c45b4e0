import Foundation

/// How long a process of this machine has used a processor.
enum ProcessTime {
    /// - Parameter process: Its number.
    /// - Throws: ``BenchFailure``, where the system does not say.
    static func milliseconds(of process: Int) throws -> Double {
        // Nanoseconds on a processor, nanoseconds waiting for one, time slices: proc(5), CONFIG_SCHED_INFO.
        guard let text = try? String(contentsOfFile: "/proc/\(process)/schedstat", encoding: .utf8),
            let nanoseconds = text.split(separator: " ").first.flatMap({ Double($0) })
        else { throw BenchFailure("what a server process uses is known of a server on this machine, under Linux") }
        return nanoseconds / 1e6
    }
}
