import OutboxHTTP
import Synchronization

/// All of a signature but the body: what requests that follow each other within a second have in common.
//
// A class: what has many parts costs much each time that it is copied.
final class SigningFrame: Sendable {
    /// What a frame is made of.
    struct Subject: Sendable, Equatable {
        let method: String
        let url: String
        let headers: [HTTPHeader]
        let credentials: AWSCredentials
        let time: UTCTime
    }

    let subject: Subject
    /// The headers with those of the signature, but for `authorization`.
    let headers: [HTTPHeader]
    /// The header `authorization`, up to the signature.
    let authorization: String
    /// What is signed of the request, up to the hash of its body.
    private let canonicalHead: [UInt8]
    /// What is signed, up to the hash of what is signed of the request.
    private let textHead: [UInt8]
    let key: SigningKey

    /// - Parameter key: A key that may be the right one, because it was the last time.
    init(_ subject: Subject, service: String, region: String, key: SigningKey?) {
        self.subject = subject
        let (credentials, date) = (subject.credentials, subject.time.basic)
        var headers = subject.headers
        headers.append(HTTPHeader("x-amz-date", date))
        if let token = credentials.sessionToken { headers.append(HTTPHeader("x-amz-security-token", token)) }
        self.headers = headers
        let (head, names) = Self.canonicalHead(subject.method, subject.url, headers)
        let day = subject.time.day
        let scope = "\(day)/\(region)/\(service)/aws4_request"
        self.canonicalHead = Array(head.utf8)
        self.textHead = Array("AWS4-HMAC-SHA256\n\(date)\n\(scope)\n".utf8)
        self.authorization =
            "AWS4-HMAC-SHA256 Credential=\(credentials.accessKeyID)/\(scope), SignedHeaders=\(names), Signature="
        let purpose = SigningKey.Purpose(credentials: credentials, day: day, region: region, service: service)
        self.key = key.flatMap { $0.purpose == purpose ? $0 : nil } ?? SigningKey(purpose)
    }

    /// The signature, as hexadecimal digits.
    func signature(of body: [UInt8]) -> String {
        SHA256Hash.with { hash in
            hash.add(body)
            let bodyHash = Hexadecimal.bytes(hash.finish())
            hash.add(self.canonicalHead)
            hash.add(bodyHash)
            let canonicalHash = Hexadecimal.bytes(hash.finish())
            return Hexadecimal.encoded(self.key.key.code(of: self.textHead, canonicalHash, by: hash))
        }
    }

    /// The canonical form of a request up to the hash of its body, and the names of the signed headers.
    private static func canonicalHead(
        _ method: String, _ url: String, _ headers: [HTTPHeader]
    ) -> (text: String, signedHeaders: String) {
        let url = SignedAddress(url)
        var signed = headers.map { ($0.name.lowercased(), Self.collapsed($0.value)) }
        signed.append(("host", url.host))
        signed.sort { $0.0 < $1.0 }
        let names = signed.map(\.0).joined(separator: ";")
        let lines =
            [method, url.canonicalPath, url.canonicalQuery] + signed.map { "\($0):\($1)" } + ["", names, ""]
        return (lines.joined(separator: "\n"), names)
    }

    /// Without spaces around it, and with one where there are several.
    private static func collapsed(_ value: String) -> String {
        value.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
    }
}

/// What a secret signs with on one day, for one service in one region.
struct SigningKey: Sendable {
    /// What the key is for.
    struct Purpose: Sendable, Equatable {
        let credentials: AWSCredentials
        let day: String
        let region: String
        let service: String
    }

    let purpose: Purpose
    let key: HMACKey

    init(_ purpose: Purpose) {
        self.purpose = purpose
        var key = Array("AWS4\(purpose.credentials.secretAccessKey)".utf8)
        for part in [purpose.day, purpose.region, purpose.service, "aws4_request"] {
            key = Digest.hmacSHA256(Array(part.utf8), key: key)
        }
        self.key = HMACKey(key)
    }
}

/// The frame of the last request, which is that of the next one most of the time.
final class LastFrame: Sendable {
    private let last = Mutex<SigningFrame?>(nil)

    func frame(for subject: SigningFrame.Subject, service: String, region: String) -> SigningFrame {
        let last = self.last.withLock { $0 }
        if let last, last.subject == subject { return last }
        let frame = SigningFrame(subject, service: service, region: region, key: last?.key)
        self.last.withLock { $0 = frame }
        return frame
    }
}
