/// Hashes and codes, by OpenSSL.
package enum Digest {
    /// The SHA-256 of bytes, 32 bytes.
    package static func sha256(_ bytes: some Collection<UInt8>) -> [UInt8] {
        let hash = SHA256Hash()
        hash.add(bytes)
        return hash.finish()
    }

    /// The HMAC with SHA-256 of bytes, 32 bytes (RFC 2104).
    package static func hmacSHA256(_ bytes: some Collection<UInt8>, key: [UInt8]) -> [UInt8] {
        HMACKey(key).code(of: bytes, by: SHA256Hash())
    }
}
