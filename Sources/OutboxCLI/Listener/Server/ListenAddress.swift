import ArgumentParser
import OutboxRuntime

/// Where a program listens: a host or an address, and a port.
struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
    /// A name or an address, without the brackets of IPv6.
    let host: String
    /// 0: one that is free.
    let port: Int

    init(host: String, port: Int) {
        (self.host, self.port) = (host, port)
    }

    /// Reads `127.0.0.1:9464`, `[::1]:9464`, `localhost:9464`; without a host it is the loopback address.
    ///
    /// - Throws: What holds for one, as it goes on after a setting's name.
    init(_ text: String) throws(SettingDefect) {
        let example = "such as 127.0.0.1:9464, [::1]:9464 or :9464"
        if text.contains("/") { throw SettingDefect(rule: "is an address \(example), without a scheme or a path") }
        guard let colon = text.lastIndex(of: ":") else {
            let isPort = !text.isEmpty && text.allSatisfy(\.isASCIIDigit)
            throw SettingDefect(
                rule: isPort
                    ? "is an address with a colon before the port: “:\(text)” for this machine alone, “0.0.0.0:\(text)” for all others too"
                    : "is an address with a port, \(example)")
        }
        let number = text[text.index(after: colon)...]
        guard !number.isEmpty, number.count <= 5, number.allSatisfy(\.isASCIIDigit), let port = Int(number),
            port <= 65535
        else {
            throw SettingDefect(rule: "is an address \(example), whose port is 0 to 65535")
        }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]"), host.count > 2 {
            host = String(host.dropFirst().dropLast())
            guard host.contains(":") else { throw SettingDefect(rule: "is an address \(example)") }
        } else if host.contains(":") {
            throw SettingDefect(rule: "is an address \(example): one of IPv6 stands in brackets")
        } else if host == "*" {
            throw SettingDefect(
                rule: "is an address \(example); all of this machine's are 0.0.0.0:\(port) or [::]:\(port)")
        }
        guard host.unicodeScalars.allSatisfy(Self.isPartOfHost) else {
            throw SettingDefect(rule: "is an address \(example)")
        }
        self.host = host.isEmpty ? "127.0.0.1" : host
        self.port = port
    }

    private static func isPartOfHost(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", ".", "-", "_", ":", "%": true
        default: false
        }
    }

    /// Whether only this machine can reach it.
    var isLoopback: Bool {
        if self.host == "::1" || self.host.lowercased() == "localhost" { return true }
        // Another name can begin like that.
        let parts = self.host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    var description: String { Self.text(host: self.host, port: self.port) }

    /// A host and a port, as a browser takes them.
    static func text(host: String, port: Int) -> String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension ListenAddress {
    /// For an option of the command line.
    init(option text: String) throws {
        do throws(SettingDefect) {
            self = try ListenAddress(text)
        } catch {
            throw ValidationError("It \(error.rule).")
        }
    }
}

extension Character {
    fileprivate var isASCIIDigit: Bool { ("0"..."9").contains(self) }
}
