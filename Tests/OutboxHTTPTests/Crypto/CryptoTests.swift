import Foundation
import OutboxHTTP
import OutboxRuntime
import Testing

@Suite(.timeLimit(.minutes(5))) struct CryptoTests {
    /// RFC 4231, cases 1, 2 and 6: a key, data and their code.
    @Test(arguments: [
        (
            [UInt8](repeating: 0x0B, count: 20), "Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xAA, count: 131), "Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
    ])
    func hmacIsThatOfTheStandard(key: [UInt8], data: String, code: String) {
        #expect(Hexadecimal.encoded(Digest.hmacSHA256(Array(data.utf8), key: key)) == code)
    }

    @Test func hashesAreThoseOfTheStandard() {
        #expect(
            Hexadecimal.encoded(Digest.sha256(Array("abc".utf8)))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            Hexadecimal.encoded(Digest.sha256([]))
                == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        // A key of no bytes is a key.
        #expect(
            Hexadecimal.encoded(Digest.hmacSHA256([], key: []))
                == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
    }

    @Test func aHashOfPartsIsThatOfTheWhole() {
        let hash = SHA256Hash()
        for count in [0, 1, 63, 64, 65, 1000] {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            hash.add(bytes.prefix(count / 3))
            hash.add(Array(bytes.dropFirst(count / 3)).lazy.map { $0 })
            #expect(hash.finish() == Digest.sha256(bytes))
        }
        let key = HMACKey(Array("Jefe".utf8))
        #expect(
            key.code(of: Array("what do ya want ".utf8), Array("for nothing?".utf8), by: hash)
                == Digest.hmacSHA256(Array("what do ya want for nothing?".utf8), key: Array("Jefe".utf8)))
        #expect("\(key)" == "a key for HMAC")
    }

    /// Beside Foundation's.
    @Test func base64IsThatOfTheStandard() {
        var random = SystemRandomNumberGenerator()
        for count in 0..<300 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            let expected = Data(bytes).base64EncodedString()
            #expect(Base64.encoded(bytes) == expected)
            // As it is without the instructions that not every processor has.
            let text = unsafe String(unsafeUninitializedCapacity: Base64.encodedCount(count)) { text in
                unsafe bytes.withUnsafeBytes {
                    unsafe Base64.write($0, from: 0, to: UnsafeMutableRawBufferPointer(text))
                }
                return text.count
            }
            #expect(text == expected)
        }
        #expect(
            Hexadecimal.encoded([0, 0x0F, 0xA0, 0xFF]) == "000fa0ff" && Hexadecimal.bytes([0x9A]) == Array("9a".utf8))
    }

    /// RFC 8032, 7.1, test 2.
    @Test func ed25519SignsAsTheStandardDoes() throws {
        let seed: [UInt8] = [
            0x4C, 0xCD, 0x08, 0x9B, 0x28, 0xFF, 0x96, 0xDA, 0x9D, 0xB6, 0xC3, 0x46, 0xEC, 0x11, 0x4E, 0x0F, 0x5B, 0x8A,
            0x31,
            0x9F, 0x35, 0xAB, 0xA6, 0x24, 0xDA, 0x8C, 0xF6, 0xED, 0x4F, 0xB8, 0xA6, 0xFB,
        ]
        let key = try Ed25519Key(seed: seed)
        #expect(
            Hexadecimal.encoded(key.publicKey) == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
        #expect(
            Hexadecimal.encoded(key.signature(of: [0x72]))
                == "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")
        #expect(throws: InvalidText.self) { try Ed25519Key(seed: Array(seed.dropLast())) }
    }

    @Test func whatIsNoKeyOfRSAIsSaidWithoutRepeatingIt() {
        let texts = ["", "secret", "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n"]
        for text in texts {
            let error = #expect(throws: InvalidText.self) { try RSAKey(pem: text) }
            #expect(error?.description.contains("secret") == false)
        }
    }

    @Test func bytesAreTheSameAfterBase64InEitherAlphabet() {
        for count in 0..<70 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ count) }
            #expect(Base64.decoded(Base64.encoded(bytes)) == bytes)
            let text = Base64.encodedForURL(bytes)
            #expect(Base64.decoded(text) == bytes)
            #expect(!text.contains { "+/=".contains($0) })
        }
        #expect(Base64.decoded("§") == nil)
    }
}
