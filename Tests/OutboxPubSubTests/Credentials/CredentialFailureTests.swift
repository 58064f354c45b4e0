import Foundation
import Outbox
import OutboxPubSub
import OutboxTesting
import Testing

/// What is said where credentials do not work, and that nothing of them is said.
@Suite(.timeLimit(.minutes(5))) struct CredentialFailureTests {
    private static func reason(_ transport: PubSubTransport) async throws -> String {
        var reason = ""
        try await TransportUnderTest.with(transport) { transport in
            let outcomes = try await transport.deliver(MessageBatch([.numbered(0)]))
            #expect(outcomes[0].isUnavailable)
            reason = outcomes[0].reason ?? ""
            #expect(!transport.health.isUp)
            #expect(await !transport.check().isUp)
        }
        return reason
    }

    @Test(arguments: [1560.0, -1560]) func aClockThatIsOffIsSaid(offset: Double) async throws {
        let server = try await PubSubServer()
        let key = try ServiceAccountKey()
        try await key.trust(server)
        try await server.send("clock", ["seconds": offset])
        let path = try TemporaryFolder().write(
            try key.file(tokenURL: server.addresses.tokens + "/token"), to: "key.json")
        let words = offset > 0 ? "this machine’s clock is 26 min behind" : "this machine’s clock is 26 min ahead of"
        // Google's token server says it, and the service's front end shows its time.
        let exchanged = try await Self.reason(
            TransportUnderTest.secure(server, PubSubCredentials.file(path).withExchangedTokens))
        #expect(
            exchanged.contains("invalid_grant: Invalid JWT: Token must be a short-lived token")
                && exchanged.contains(words))
        try await server.send("demand", ["name": "signed", "value": "https://pubsub.googleapis.com/"])
        let signed = try await Self.reason(TransportUnderTest.secure(server, .file(path)))
        #expect(signed.contains("UNAUTHENTICATED") && signed.contains(words), "\(signed)")
    }

    @Test func aKeyThatGoogleDoesNotKnowIsSaid() async throws {
        let server = try await PubSubServer()
        let (known, other) = (try ServiceAccountKey(), try ServiceAccountKey())
        try await known.trust(server)
        let path = try TemporaryFolder().write(
            try other.file(tokenURL: server.addresses.tokens + "/token"), to: "key.json")
        let reason = try await Self.reason(
            TransportUnderTest.secure(server, PubSubCredentials.file(path).withExchangedTokens))
        #expect(reason.contains("invalid_grant: Invalid JWT Signature."), "\(reason)")
        #expect(!reason.contains("PRIVATE"))
    }

    @Test func aTokenServerThatIsAwayIsSaidAndAskedAgain() async throws {
        let server = try await PubSubServer()
        try await server.send("demand", ["name": "issued"])
        let host = String(server.addresses.tokens.dropFirst("http://".count))
        try await server.send(
            "token-fault",
            [
                "path": "/computeMetadata/v1/instance/service-accounts/default/token", "code": 503, "message": "away",
                "count": 1,
            ])
        let transport = try TransportUnderTest.secure(server, .metadataServer, environment: ["GCE_METADATA_HOST": host])
        try await TransportUnderTest.with(transport) { transport in
            let batch = MessageBatch([.numbered(0)])
            var outcomes = try await transport.deliver(batch)
            #expect(outcomes[0].reason?.contains("the metadata server, http://127.0.0.1") == true)
            #expect(outcomes[0].reason?.contains("HTTP 503") == true)
            while outcomes[0].isUnavailable {
                await Task.yield()
                outcomes = try await transport.deliver(batch)
            }
            #expect(outcomes.areDelivered)
        }
        // Deliveries do not ask.
        #expect(try await server.tokenRequests().count == 2)
    }

    @Test func whatIsMissingIsSaid() async throws {
        let server = try await PubSubServer()
        let reason = try await Self.reason(
            TransportUnderTest.secure(
                server, .applicationDefault, environment: ["HOME": "/nowhere", "GCE_METADATA_HOST": "127.0.0.1:1"]))
        #expect(
            reason.contains("GOOGLE_APPLICATION_CREDENTIALS is not set") && reason.contains("127.0.0.1:1"), "\(reason)")
        try await server.send("demand", ["name": "issued"])
        let none = try await Self.reason(TransportUnderTest.secure(server, .none))
        #expect(none.contains("no credentials are configured"))
    }

    static let files: [(text: String, reason: String)] = [
        ("", "an object in JSON"), ("[]", "an object in JSON"),
        (#"{"type": "service_acount"}"#, "known are service_account"),
        ("{}", "the file’s type is none"), (#"{"type": "service_account", "client_email": "a@b"}"#, "no “private_key”"),
        (#"{"type": "service_account", "client_email": "a@b", "private_key": "secret-key"}"#, "“private_key”"),
        (#"{"type": "authorized_user", "client_id": "c", "client_secret": "secret-key"}"#, "no “refresh_token”"),
        (
            #"{"type": "authorized_user", "client_id": "c", "client_secret": "secret-key", "refresh_token": "r", "token_uri": "http://evil.example/"}"#,
            "without TLS"
        ),
        (#"{"type": "external_account", "audience": "a", "subject_token_type": "t"}"#, "no “token_url”"),
        (
            #"{"type": "external_account", "audience": "a", "subject_token_type": "t", "token_url": "https://sts.googleapis.com/v1/token"}"#,
            "credential_source"
        ),
        (
            #"{"type": "external_account", "audience": "a", "subject_token_type": "t", "token_url": "https://sts.googleapis.com/v1/token", "credential_source": {"environment_id": "aws1"}}"#,
            "AWS"
        ),
        (
            #"{"type": "external_account", "audience": "a", "subject_token_type": "t", "token_url": "https://sts.googleapis.com/v1/token", "credential_source": {"executable": {"command": "x"}}}"#,
            "programs"
        ),
    ]

    @Test(arguments: files) func aFileThatCannotBeUsedIsRefused(text: String, reason: String) throws {
        let path = try TemporaryFolder().write(text, to: "credentials.json")
        let configuration = PubSubConfiguration(project: "shop", topic: "orders", credentials: .file(path))
        let error = #expect(throws: TransportConfigurationError.self) { try PubSubTransport(configuration) }
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("secret-key") == false)
    }

    @Test func aFileThatIsNotThereIsRefused() {
        let configuration = PubSubConfiguration(
            project: "shop", topic: "orders", credentials: .file("/nowhere/key.json"))
        let error = #expect(throws: TransportConfigurationError.self) { try PubSubTransport(configuration) }
        #expect(error?.description.contains("“/nowhere/key.json” cannot be read") == true)
    }
}
