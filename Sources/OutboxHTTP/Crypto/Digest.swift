/// Hashes and codes, by OpenSSL.
package enum Digest {
    /// The SHA-256 of bytes, 32 bytes.
    package static func sha256(_ bytes: some Collection<UInt8>) -> [UInt8] {
        SHA256Hash.with { hash in
            hash.add(bytes)
            return hash.finish()
        }
    }

    /// The HMAC with SHA-256 of bytes, 32 bytes (RFC 2104).
    package static func hmacSHA256(_ bytes: [UInt8], key: [UInt8]) -> [UInt8] {
        SHA256Hash.with { HMACKey(key).code(of: bytes, by: $0) }
    }
}
