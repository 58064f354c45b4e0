#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// Reads requests of HTTP/1.1 from a connection.
struct HTTPRequestReader {
    private let socket: CInt
    private var buffer: [UInt8] = []

    init(_ socket: CInt) { self.socket = socket }

    /// - Returns: nil: no further one comes.
    mutating func next() -> HTTPServer.Request? {
        var end = self.endOfHead
        while end == nil {
            guard self.readMore() else { return nil }
            end = self.endOfHead
        }
        guard let end else { return nil }
        let lines = String(decoding: self.buffer[..<end], as: UTF8.self).split(separator: "\r\n").map(String.init)
        let words = lines[0].split(separator: " ").map(String.init)
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let halves = line.split(separator: ":", maxSplits: 1).map(String.init)
            headers[halves[0].lowercased()] = halves.count == 2 ? String(halves[1].drop { $0 == " " }) : ""
        }
        let length = headers["content-length"].flatMap(Int.init) ?? 0
        while self.buffer.count < end + 4 + length {
            guard self.readMore() else { return nil }
        }
        let body = Array(self.buffer[(end + 4)..<(end + 4 + length)])
        self.buffer.removeFirst(end + 4 + length)
        return HTTPServer.Request(method: words[0], target: words[1], headers: headers, body: body)
    }

    private var endOfHead: Int? { self.buffer.firstRange(of: Array("\r\n\r\n".utf8))?.lowerBound }

    private mutating func readMore() -> Bool {
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        let count = unsafe recv(self.socket, &bytes, bytes.count, 0)
        if count <= 0 { return false }
        self.buffer.append(contentsOf: bytes.prefix(count))
        return true
    }
}
