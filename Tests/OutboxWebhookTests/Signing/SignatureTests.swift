import Foundation
import Outbox
import OutboxHTTP
import Testing

@testable import OutboxWebhook

@Suite(.timeLimit(.minutes(1))) struct SignatureTests {
    /// The example of the specification's libraries.
    @Test func theSpecificationsExample() throws {
        let key = try WebhookKey("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        let signature = Signature(
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek", content: Array(#"{"test": 2432232314}"#.utf8), keys: [key])
        #expect(
            signature.headers(at: 1_614_265_330) == [
                HTTPHeader("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"), HTTPHeader("webhook-timestamp", "1614265330"),
                HTTPHeader("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
            ])
    }

    @Test func severalKeysSignAll() throws {
        let seed = [UInt8](repeating: 7, count: 32)
        let keys = [
            try WebhookKey("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), try WebhookKey("whsk_" + Base64.encoded(seed)),
            try WebhookKey("whsec_" + Base64.encoded([UInt8](repeating: 1, count: 64))),
        ]
        let value = Signature(id: "1", content: [0, 255], keys: keys).headers(at: 5).last?.value ?? ""
        #expect(value.split(separator: " ").map { $0.prefix { $0 != "," } } == ["v1", "v1a", "v1"])
        #expect(
            Signature(id: "1", content: [], keys: []).headers(at: 5).map(\.name) == ["webhook-id", "webhook-timestamp"])
    }

    @Test func privateKeys() throws {
        let seed = [UInt8](0..<32)
        let publicKey = try Ed25519Key(seed: seed).publicKey
        let short = try WebhookKey("whsk_" + Base64.encoded(seed))
        let long = try WebhookKey("whsk_" + Base64.encoded(seed + publicKey))
        #expect(short.publicKey == "whpk_" + Base64.encoded(publicKey) && long.publicKey == short.publicKey)
        #expect(short.signature(of: [1]) == long.signature(of: [1]))
        #expect(try WebhookKey("whsec_" + Base64.encoded(seed)).publicKey == nil)
        #expect(throws: TransportConfigurationError.self) { try WebhookKey("whsk_" + Base64.encoded(seed + seed)) }
    }

    @Test(arguments: [
        "", "whsec_", "whsec_AAAA", "whsec_!!!!", "whsk_AAAA", "whpk_" + String(repeating: "A", count: 44), "secret",
        "whsec_" + String(repeating: "A", count: 88),
    ])
    func whatIsNoKey(_ text: String) {
        #expect(throws: TransportConfigurationError.self) { try WebhookKey(text) }
    }

    @Test func keysOfAFile() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "keys-\(UUID())")
        defer { try? FileManager.default.removeItem(at: file) }
        let secret = TransportUnderTest.secret
        try Data("# old and new\r\n\(secret)\n\n  \(secret)  # the new one\nA.Example \(secret)\n".utf8).write(to: file)
        let ring = try KeyRing(.init(keys: [try WebhookKey(secret)], keyFile: file.path))
        #expect(ring.keys(forHost: "b.example").count == 3 && ring.keys(forHost: "a.example").count == 1)
        for (text, complaint) in [
            ("a b c", "line 1"), ("\n\(secret)x y\n", "line 2"), ("# nothing", "has no key"),
            ("\(secret)\nwhsec_1", "line 2"),
        ] {
            try Data(text.utf8).write(to: file)
            let error = #expect(throws: TransportConfigurationError.self) { try KeyRing(.init(keyFile: file.path)) }
            #expect(error?.description.contains(complaint) ?? false)
            #expect(!(error?.description.contains(secret) ?? true))
        }
    }
}
