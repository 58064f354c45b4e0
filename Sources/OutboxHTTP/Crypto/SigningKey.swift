import CCrypto
package import OutboxRuntime

/// A private key of OpenSSL's.
@safe private final class PrivateKey {
    let pointer: OpaquePointer

    init?(_ pointer: OpaquePointer?) {
        guard let pointer = unsafe pointer else { return nil }
        unsafe self.pointer = pointer
    }

    deinit { unsafe EVP_PKEY_free(self.pointer) }

    /// - Parameter digest: What is signed in place of the bytes; nil: the algorithm has its own.
    func signature(of bytes: [UInt8], digest: OpaquePointer?) -> [UInt8]? {
        guard let context = unsafe EVP_MD_CTX_new() else { return nil }
        defer { unsafe EVP_MD_CTX_free(context) }
        var count = 0
        guard unsafe EVP_DigestSignInit(context, nil, digest, nil, self.pointer) == 1,
            unsafe EVP_DigestSign(context, nil, &count, bytes, bytes.count) == 1
        else { return nil }
        var signature = [UInt8](repeating: 0, count: count)
        guard unsafe EVP_DigestSign(context, &signature, &count, bytes, bytes.count) == 1 else { return nil }
        return Array(signature.prefix(count))
    }
}

/// A key for signatures by Ed25519 (RFC 8032).
//
// Sendable because OpenSSL's keys may be used by several threads.
package struct Ed25519Key: @unchecked Sendable {
    private let key: PrivateKey

    /// - Parameter seed: The private key, 32 bytes.
    /// - Throws: An ``InvalidText`` for another number of bytes.
    package init(seed: [UInt8]) throws(InvalidText) {
        guard seed.count == 32,
            let key = unsafe PrivateKey(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed, 32))
        else { throw InvalidText("a key of Ed25519 has 32 bytes") }
        self.key = key
    }

    /// The public key, 32 bytes.
    package var publicKey: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 32)
        var count = 32
        unsafe _ = EVP_PKEY_get_raw_public_key(self.key.pointer, &bytes, &count)
        return bytes
    }

    /// The signature of bytes, 64 bytes.
    package func signature(of bytes: [UInt8]) -> [UInt8] {
        guard let signature = unsafe self.key.signature(of: bytes, digest: nil) else {
            preconditionFailure("a key that was read signs")
        }
        return signature
    }
}

/// A key for signatures by RSA with SHA-256 (RFC 8017, RSASSA-PKCS1-v1_5; RS256 in tokens).
//
// Sendable because OpenSSL's keys may be used by several threads.
package struct RSAKey: @unchecked Sendable {
    private let key: PrivateKey

    /// - Parameter pem: The private key, not encrypted.
    /// - Throws: An ``InvalidText`` that repeats nothing of the key.
    package init(pem: String) throws(InvalidText) {
        defer { ERR_clear_error() }
        let text = Array(pem.utf8)
        guard let source = unsafe BIO_new_mem_buf(text, CInt(text.count)) else { throw InvalidText("no memory") }
        defer { unsafe _ = BIO_free(source) }
        guard let key = unsafe PrivateKey(outbox_crypto_private_key(source)),
            unsafe EVP_PKEY_get_base_id(key.pointer) == EVP_PKEY_RSA
        else { throw InvalidText("this is no private key of RSA in PEM that is not encrypted") }
        self.key = key
    }

    /// The signature of bytes, as long as the key.
    package func signatureSHA256(of bytes: [UInt8]) throws(InvalidText) -> [UInt8] {
        defer { ERR_clear_error() }
        guard let signature = unsafe self.key.signature(of: bytes, digest: EVP_sha256()) else {
            throw InvalidText("the key signs nothing; is it long enough?")
        }
        return signature
    }
}
