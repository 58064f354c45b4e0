import Outbox
import OutboxRuntime

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Which keys sign a message, by the host that it goes to.
struct KeyRing: Sendable {
    private let keys: [WebhookKey]
    private let byHost: [String: [WebhookKey]]

    init(_ signing: WebhookConfiguration.Signing) throws(TransportConfigurationError) {
        var keys = signing.keys
        var byHost: [String: [WebhookKey]] = [:]
        for (host, keys) in signing.keysByHost {
            byHost[try Self.name(of: host), default: []] += keys
        }
        if let file = signing.keyFile {
            let read = try Self.keys(inFile: file)
            keys += read.keys
            byHost.merge(read.byHost) { $0 + $1 }
        }
        self.keys = keys
        self.byHost = byHost
    }

    func keys(forHost host: String) -> [WebhookKey] { self.byHost[host] ?? self.keys }

    /// Whether one secret is known to several receivers, if there are several.
    var sharesSecrets: Bool { self.keys.contains { $0.isShared } }

    /// Reads a file of keys: one a line, or a host's name and one; `#` begins a comment.
    static func keys(
        inFile path: String
    ) throws(TransportConfigurationError) -> (keys: [WebhookKey], byHost: [String: [WebhookKey]]) {
        if path.hasPrefix("whs") {
            throw TransportConfigurationError(
                "“secret_file” is the path of a file; a key itself is given with “secret”")
        }
        if let defect = ReadableFile.defect(of: path) {
            throw TransportConfigurationError("“secret_file”: \(defect)")
        }
        guard let data = try? Data(contentsOf: URL(filePath: path)), data.count <= 1 << 20,
            let text = String(validating: data, as: UTF8.self)
        else {
            throw TransportConfigurationError("“secret_file” is no text in UTF-8 of at most 1 MiB")
        }
        var keys: [WebhookKey] = []
        var byHost: [String: [WebhookKey]] = [:]
        for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let words = line.prefix { $0 != "#" }.split { $0.isWhitespace }.map(String.init)
            do throws(TransportConfigurationError) {
                switch words.count {
                case 0: continue
                case 1: keys.append(try WebhookKey(words[0]))
                case 2: byHost[try self.name(of: words[0]), default: []].append(try WebhookKey(words[1]))
                default: throw TransportConfigurationError("a line has a key, or a host and a key")
                }
            } catch {
                throw TransportConfigurationError("“secret_file”, line \(number + 1): \(error.description)")
            }
        }
        if keys.isEmpty, byHost.isEmpty { throw TransportConfigurationError("“secret_file” has no key") }
        return (keys, byHost)
    }

    private static func name(of host: String) throws(TransportConfigurationError) -> String {
        guard let name = HostName.normalized(host) else {
            throw TransportConfigurationError("the name of a key’s host is none")
        }
        return name
    }
}
