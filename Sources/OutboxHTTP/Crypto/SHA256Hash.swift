import CCrypto
import Synchronization

/// A SHA-256 of bytes that come in parts. It can be used for one hash after the other, which costs less than one for each.
///
/// Used by one task or thread at a time.
//
// Sendable because who has it from ``with(_:)`` has it alone.
@safe package final class SHA256Hash: @unchecked Sendable {
    private let context: OpaquePointer

    // Looked up once: OpenSSL 3 looks an algorithm up by its name each time that one is named by `EVP_sha256()`. Safe to share: nothing
    // changes an algorithm, and it is never freed.
    private static nonisolated(unsafe) let algorithm = unsafe EVP_MD_fetch(nil, "SHA256", nil)

    package init() {
        guard let context = unsafe EVP_MD_CTX_new() else { preconditionFailure("there is no memory for a hash") }
        unsafe self.context = context
        self.begin()
    }

    deinit { unsafe EVP_MD_CTX_free(self.context) }

    private static let idle = Mutex<[SHA256Hash]>([])

    /// Lends one that nothing was added to. Those that were lent are kept for the next ones.
    ///
    /// - Parameter body: Takes the hash of all that it adds.
    package static func with<Result>(_ body: (SHA256Hash) -> Result) -> Result {
        let hash = self.idle.withLock { $0.popLast() } ?? SHA256Hash()
        defer { self.idle.withLock { $0.append(hash) } }
        return body(hash)
    }

    private func begin() {
        let isReady = unsafe EVP_DigestInit_ex2(self.context, Self.algorithm, nil) == 1
        precondition(isReady, "OpenSSL has no SHA-256")
    }

    /// Adds bytes to what is hashed.
    package func add(_ bytes: UnsafeRawBufferPointer) {
        unsafe _ = EVP_DigestUpdate(self.context, bytes.baseAddress, bytes.count)
    }

    /// Adds bytes to what is hashed.
    package func add(_ bytes: some Collection<UInt8>) {
        let isDone: Void? = bytes.withContiguousStorageIfAvailable { bytes in
            unsafe self.add(UnsafeRawBufferPointer(bytes))
        }
        if isDone == nil { self.add(Array(bytes)) }
    }

    /// The hash of what was added, 32 bytes. What is added from now on is hashed by itself.
    package func finish() -> [UInt8] {
        let hash = unsafe [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            unsafe _ = EVP_DigestFinal_ex(self.context, buffer.baseAddress, nil)
            count = 32
        }
        self.begin()
        return hash
    }
}

/// A key for codes by HMAC with SHA-256 (RFC 2104), in the form in which each code begins with it.
package struct HMACKey: Sendable {
    private let inner: [UInt8]
    private let outer: [UInt8]

    private static let blockSize = 64

    /// - Parameter key: Of any length.
    package init(_ key: [UInt8]) {
        var block = key.count > Self.blockSize ? Digest.sha256(key) : key
        block += [UInt8](repeating: 0, count: Self.blockSize - block.count)
        self.inner = block.map { $0 ^ 0x36 }
        self.outer = block.map { $0 ^ 0x5C }
    }

    /// The code of what one text and then another one has, 32 bytes.
    ///
    /// - Parameter hash: One that nothing was added to.
    package func code(of first: [UInt8], _ rest: [UInt8] = [], by hash: SHA256Hash) -> [UInt8] {
        hash.add(self.inner)
        hash.add(first)
        if !rest.isEmpty { hash.add(rest) }
        let inner = hash.finish()
        hash.add(self.outer)
        hash.add(inner)
        return hash.finish()
    }
}

// A secret is not printed by accident, as a part of something that is.

extension HMACKey: CustomStringConvertible, CustomReflectable {
    /// What it is, without the key.
    package var description: String { "a key for HMAC" }
    /// Nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }
}
