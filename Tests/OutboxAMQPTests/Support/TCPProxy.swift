import Outbox
import OutboxRuntime
import Synchronization

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// A piece of network between a transport and a broker, which can be cut, closed, or made silent.
///
/// Runs on a thread of its own; orders are carried out when the methods return.
final class TCPProxy: Sendable {
    struct Failure: Error {}

    private enum Order: Sendable { case cut, close, open, silence(Bool), end }

    private struct Pair {
        let client: CInt
        let server: CInt
    }

    let port: Int
    private let target: Int
    private let pipe: WakePipe
    private let orders = Mutex<[(Order, Latch)]>([])

    init(to target: Int) throws {
        guard let pipe = WakePipe() else { throw Failure() }
        self.pipe = pipe
        self.target = target
        let listener = try Self.listen(on: 0)
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        unsafe withUnsafeMutableBytes(of: &address) { bytes in
            unsafe _ = getsockname(listener, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress!, &length)
        }
        self.port = Int(UInt16(bigEndian: address.sin_port))
        guard DedicatedThread.start({ self.run(listener) }) else { throw Failure() }
    }

    /// Breaks all connections; new ones can be made.
    func cut() async { await self.order(.cut) }
    /// Breaks all connections and takes no new ones.
    func close() async { await self.order(.close) }
    /// Takes connections again.
    func open() async { await self.order(.open) }
    /// Passes nothing on, in neither direction, while connections stay.
    func silence(_ isSilent: Bool) async { await self.order(.silence(isSilent)) }
    /// Ends the thread, and with it everything.
    func end() async { await self.order(.end) }

    private func order(_ order: Order) async {
        let latch = Latch()
        self.orders.withLock { $0.append((order, latch)) }
        self.pipe.signal()
        await latch.wait()
    }

    private func run(_ first: CInt) {
        var listener = first
        var pairs: [Pair] = []
        var isSilent = false
        func cut() {
            for pair in pairs { Self.reset(pair) }
            pairs = []
        }
        while true {
            var entries = [pollfd(fd: self.pipe.readDescriptor, events: Int16(POLLIN), revents: 0)]
            entries.append(pollfd(fd: listener, events: Int16(POLLIN), revents: 0))
            if !isSilent {
                for pair in pairs {
                    entries.append(pollfd(fd: pair.client, events: Int16(POLLIN), revents: 0))
                    entries.append(pollfd(fd: pair.server, events: Int16(POLLIN), revents: 0))
                }
            }
            unsafe _ = poll(&entries, nfds_t(entries.count), -1)
            if entries[0].revents != 0 {
                self.pipe.drain()
                let orders = self.orders.withLock { orders in
                    defer { orders = [] }
                    return orders
                }
                for (order, latch) in orders {
                    defer { latch.open() }
                    switch order {
                    case .cut: cut()
                    case .close, .end:
                        cut()
                        if listener >= 0 { _ = systemClose(listener) }
                        listener = -1
                        if case .end = order { return }
                    case .open:
                        if listener < 0 { listener = (try? Self.listen(on: self.port)) ?? -1 }
                    case .silence(let value): isSilent = value
                    }
                }
                continue
            }
            if entries[1].revents != 0, listener >= 0 {
                let client = accept(listener, nil, nil)
                if client >= 0 {
                    if let server = Self.connect(to: self.target) {
                        pairs.append(Pair(client: client, server: server))
                    } else {
                        _ = systemClose(client)
                    }
                }
            }
            if isSilent { continue }
            var broken: [Int] = []
            for index in pairs.indices where 2 * index + 3 < entries.count {
                let pair = pairs[index]
                let isOpen =
                    (entries[2 * index + 2].revents == 0 || Self.pass(pair.client, pair.server))
                    && (entries[2 * index + 3].revents == 0 || Self.pass(pair.server, pair.client))
                if !isOpen { broken.append(index) }
            }
            for index in broken.reversed() { Self.reset(pairs.remove(at: index)) }
        }
    }

    private static func pass(_ source: CInt, _ sink: CInt) -> Bool {
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = unsafe read(source, &bytes, bytes.count)
        if count <= 0 { return false }
        var sent = 0
        while sent < count {
            let written = unsafe bytes.withUnsafeBytes {
                unsafe send(sink, $0.baseAddress! + sent, count - sent, Int32(MSG_NOSIGNAL))
            }
            if written <= 0 { return false }
            sent += written
        }
        return true
    }

    private static func reset(_ pair: Pair) {
        _ = systemClose(pair.client)
        _ = systemClose(pair.server)
    }

    private static func listen(on port: Int) throws -> CInt {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var on: CInt = 1
        unsafe _ = setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<CInt>.size))
        var address = Self.loopback(port)
        let status = unsafe withUnsafeBytes(of: &address) { bytes in
            unsafe bind(
                listener, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress!,
                socklen_t(MemoryLayout<sockaddr_in>.size))
        }
        guard status == 0, Glibc.listen(listener, 16) == 0 else {
            _ = systemClose(listener)
            throw Failure()
        }
        return listener
    }

    private static func connect(to port: Int) -> CInt? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Self.loopback(port)
        let status = unsafe withUnsafeBytes(of: &address) { bytes in
            unsafe Glibc.connect(
                descriptor, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress!,
                socklen_t(MemoryLayout<sockaddr_in>.size))
        }
        if status == 0 { return descriptor }
        _ = systemClose(descriptor)
        return nil
    }

    private static func loopback(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}

private func systemClose(_ descriptor: CInt) -> CInt { close(descriptor) }
