import Foundation

/// How long a process of this machine has used a processor.
enum ProcessTime {
    /// Of a process with one thread.
    ///
    /// - Parameter process: Its number.
    /// - Throws: ``BenchFailure``, where the system does not say.
    static func milliseconds(of process: Int) throws -> Double {
        try self.milliseconds(inFolder: "/proc/\(process)")
    }

    /// Of all threads that a process has.
    static func milliseconds(ofAllThreadsOf process: Int) throws -> Double {
        let folder = "/proc/\(process)/task"
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        // One may have ended since.
        return threads.reduce(0) { $0 + ((try? self.milliseconds(inFolder: "\(folder)/\($1)")) ?? 0) }
    }

    /// Of this process, without the threads with a name that are at work.
    static func millisecondsOfOwn(exceptThreadsNamed name: String) -> Double {
        let folder = "/proc/self/task"
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let others = threads.filter { thread in
            (try? String(contentsOfFile: "\(folder)/\(thread)/comm", encoding: .utf8)) == name + "\n"
        }
        // Threads that have ended since count too.
        var time = timespec()
        unsafe _ = clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return others.reduce(Double(time.tv_sec) * 1000 + Double(time.tv_nsec) / 1e6) {
            $0 - ((try? self.milliseconds(inFolder: "\(folder)/\($1)")) ?? 0)
        }
    }

    private static func milliseconds(inFolder folder: String) throws -> Double {
        // Nanoseconds on a processor, nanoseconds waiting for one, time slices: proc(5), CONFIG_SCHED_INFO.
        guard let text = try? String(contentsOfFile: "\(folder)/schedstat", encoding: .utf8),
            let nanoseconds = text.split(separator: " ").first.flatMap({ Double($0) })
        else { throw BenchFailure("what a server process uses is known of a server on this machine, under Linux") }
        return nanoseconds / 1e6
    }
}

/// How much memory a process of this machine has.
enum ProcessMemory {
    /// - Throws: ``BenchFailure``, where the system does not say.
    static func bytes(of process: Int) throws -> Double {
        // Pages: all that it has addressed, those that are resident: proc(5).
        guard let text = try? String(contentsOfFile: "/proc/\(process)/statm", encoding: .utf8),
            let pages = text.split(separator: " ").dropFirst().first.flatMap({ Double($0) })
        else { throw BenchFailure("what memory a process has is known under Linux") }
        return pages * Double(sysconf(CInt(_SC_PAGESIZE)))
    }
}
