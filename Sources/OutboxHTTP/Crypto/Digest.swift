import CCrypto

/// Hashes, by OpenSSL.
package enum Digest {
    /// The SHA-256 of bytes, 32 bytes.
    package static func sha256(_ bytes: some Collection<UInt8>) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        let isDone: Void? = bytes.withContiguousStorageIfAvailable { bytes in
            unsafe _ = SHA256(bytes.baseAddress, bytes.count, &digest)
        }
        return isDone == nil ? self.sha256(Array(bytes)) : digest
    }

    /// The HMAC with SHA-256 of bytes, 32 bytes (RFC 2104).
    package static func hmacSHA256(_ bytes: some Collection<UInt8>, key: [UInt8]) -> [UInt8] {
        var code = [UInt8](repeating: 0, count: 32)
        var count: UInt32 = 0
        let isDone: Void? = bytes.withContiguousStorageIfAvailable { bytes in
            unsafe key.withUnsafeBytes { key in
                // Without a key there is a key of no bytes, which is not the same as none.
                var empty: UInt8 = 0
                let start = unsafe key.baseAddress ?? withUnsafePointer(to: &empty) { unsafe UnsafeRawPointer($0) }
                unsafe _ = HMAC(EVP_sha256(), start, CInt(key.count), bytes.baseAddress, bytes.count, &code, &count)
            }
        }
        return isDone == nil ? self.hmacSHA256(Array(bytes), key: key) : code
    }
}
