#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// The service manager that has started this process and wants to know how it is: systemd, for a unit of `Type=notify`
/// (https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html).
struct ServiceManager: Sendable {
    /// A path, or the name of an abstract socket, which begins with @.
    private let socket: String
    /// How often it wants to hear that the process is alive, at least; nil: it does not ask.
    let watchdog: Duration?

    /// - Parameter environment: The process's variables.
    /// - Returns: nil: nothing waits for messages.
    init?(environment: [String: String]) {
        guard let socket = environment["NOTIFY_SOCKET"], socket.hasPrefix("/") || socket.hasPrefix("@") else {
            return nil
        }
        self.socket = socket
        // The variables of a parent are not meant for its children.
        let isMeant = environment["WATCHDOG_PID"].map { $0 == String(getpid()) } ?? true
        if isMeant, let microseconds = environment["WATCHDOG_USEC"].flatMap({ Int64($0) }), microseconds > 0 {
            self.watchdog = .microseconds(microseconds)
        } else {
            self.watchdog = nil
        }
    }

    /// What can be told.
    enum Message: Sendable, Hashable {
        /// What it is started for can be done.
        case ready
        case reloading
        case stopping
        case alive
        /// A line for `systemctl status`.
        case status(String)

        var text: String {
            switch self {
            case .ready: return "READY=1"
            case .reloading:
                var now = timespec()
                unsafe clock_gettime(CLOCK_MONOTONIC, &now)
                return "RELOADING=1\nMONOTONIC_USEC=\(Int(now.tv_sec) * 1_000_000 + Int(now.tv_nsec) / 1000)"
            case .stopping: return "STOPPING=1"
            case .alive: return "WATCHDOG=1"
            case .status(let line): return "STATUS=\(line.plain(200))"
            }
        }
    }

    /// Tells it. A manager that does not listen, or has no room, is no reason to do anything else.
    func tell(_ messages: Message...) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = Array(self.socket.utf8)
        if name.first == UInt8(ascii: "@") { name[0] = 0 }
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        guard name.count < capacity else { return }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { path in unsafe path.copyBytes(from: name) }
        #if canImport(Glibc)
        let kind = Int32(SOCK_DGRAM.rawValue)
        #else
        let kind = SOCK_DGRAM
        #endif
        let number = Self.open(kind)
        guard number >= 0 else { return }
        defer { close(number) }
        _ = fcntl(number, F_SETFD, FD_CLOEXEC)
        let text = Array(messages.map(\.text).joined(separator: "\n").utf8)
        // A path ends with a zero, which an abstract name has not.
        let offset = MemoryLayout<sockaddr_un>.size - capacity
        let length = offset + name.count + (name.first == 0 ? 0 : 1)
        _ = unsafe withUnsafePointer(to: address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe sendto(number, text, text.count, Int32(MSG_DONTWAIT), pointer, socklen_t(length))
            }
        }
    }

    private static func open(_ kind: Int32) -> Int32 {
        #if canImport(Darwin)
        Darwin.socket(AF_UNIX, kind, 0)
        #elseif canImport(Musl)
        Musl.socket(AF_UNIX, kind, 0)
        #else
        Glibc.socket(AF_UNIX, kind, 0)
        #endif
    }
}
