import Foundation
import Outbox
import OutboxPubSub
import OutboxTesting
import Synchronization
import Testing

/// Each kind of credentials, against servers that check what they are sent, and a service that wants what those have issued.
@Suite(.timeLimit(.minutes(5))) struct CredentialTests {
    private static let audience = "https://pubsub.googleapis.com/"

    private static func delivers(
        _ server: PubSubServer, _ credentials: PubSubCredentials, environment: [String: String] = [:]
    ) async throws {
        let transport = try TransportUnderTest.secure(server, credentials, environment: environment)
        try await TransportUnderTest.with(transport) { transport in
            let outcomes = try await transport.deliver(MessageBatch([.numbered(0), .numbered(1, key: "k")]))
            #expect(outcomes.areDelivered, "\(outcomes)")
            #expect(await transport.check().isUp)
        }
        #expect(try await server.facts().violations == [])
    }

    @Test func aServiceAccountSignsTokens() async throws {
        let server = try await PubSubServer()
        let key = try ServiceAccountKey()
        try await key.trust(server)
        try await server.send("demand", ["name": "signed", "value": Self.audience])
        let folder = try TemporaryFolder()
        let path = folder.write(try key.file(tokenURL: server.addresses.tokens + "/token"), to: "key.json")
        try await Self.delivers(server, .file(path))
        try await Self.delivers(server, .applicationDefault, environment: ["GOOGLE_APPLICATION_CREDENTIALS": path])
        #expect(try await server.tokenRequests().isEmpty)
    }

    @Test func aServiceAccountExchangesTokens() async throws {
        let server = try await PubSubServer()
        let key = try ServiceAccountKey()
        try await key.trust(server)
        try await server.send("demand", ["name": "issued"])
        let path = try TemporaryFolder().write(
            try key.file(tokenURL: server.addresses.tokens + "/token"), to: "key.json")
        try await Self.delivers(server, PubSubCredentials.file(path).withExchangedTokens)
        #expect(try await server.tokenRequests("/token").count == 1)
    }

    @Test func aUserRefreshesTokens() async throws {
        let server = try await PubSubServer()
        try await server.send("demand", ["name": "issued"])
        let folder = try TemporaryFolder()
        _ = folder.write(
            """
            {"type": "authorized_user", "client_id": "client", "client_secret": "client-secret",
             "refresh_token": "1//refresh+token", "token_uri": "\(server.addresses.tokens)/token"}
            """, to: "application_default_credentials.json")
        try await Self.delivers(server, .applicationDefault, environment: ["CLOUDSDK_CONFIG": folder.path])
    }

    @Test func theMetadataServerIsAsked() async throws {
        let server = try await PubSubServer()
        try await server.send("demand", ["name": "issued"])
        let host = String(server.addresses.tokens.dropFirst("http://".count))
        try await Self.delivers(server, .metadataServer, environment: ["GCE_METADATA_HOST": host])
        try await Self.delivers(
            server, .applicationDefault, environment: ["GCE_METADATA_HOST": host, "HOME": "/nowhere"])
    }

    @Test func theMetadataServerIsAskedWithoutAProxy() async throws {
        let server = try await PubSubServer()
        let host = String(server.addresses.tokens.dropFirst("http://".count))
        let transport = try TransportUnderTest.secure(
            server, .metadataServer, environment: ["GCE_METADATA_HOST": host]
        ) { $0.proxy = "http://127.0.0.1:1" }
        try await TransportUnderTest.with(transport) { transport in
            let outcomes = try await transport.deliver(MessageBatch([.numbered(0)]))
            #expect(outcomes.areUnavailable)
        }
        #expect(try await server.tokenRequests().count == 1)
    }

    private static func federation(_ server: PubSubServer, source: String, impersonates: Bool) -> String {
        let tokens = server.addresses.tokens
        let impersonation =
            impersonates
            ? """
            , "service_account_impersonation_url":
                "\(tokens)/impersonate/v1/projects/-/serviceAccounts/\(ServiceAccountKey.email):generateAccessToken"
            """ : ""
        return """
            {"type": "external_account",
             "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/provider",
             "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": "\(tokens)/sts",
             "credential_source": \(source)\(impersonation)}
            """
    }

    @Test(arguments: [false, true]) func aWorkloadExchangesTheTokenOfAFile(impersonates: Bool) async throws {
        let server = try await PubSubServer()
        try await server.send("demand", ["name": "issued"])
        let folder = try TemporaryFolder()
        let token = folder.write("subject+token/of=workload\n", to: "token")
        let path = folder.write(
            Self.federation(server, source: #"{"file": "\#(token)"}"#, impersonates: impersonates),
            to: "federation.json")
        try await Self.delivers(server, .file(path))
        #expect(try await server.tokenRequests().map(\.method) == (impersonates ? ["POST", "POST"] : ["POST"]))
    }

    @Test func aWorkloadExchangesTheTokenOfAServer() async throws {
        let server = try await PubSubServer()
        try await server.send("demand", ["name": "issued"])
        let source = """
            {"url": "\(server.addresses.tokens)/subject", "headers": {"X-Workload": "outbox"},
             "format": {"type": "json", "subject_token_field_name": "id_token"}}
            """
        let path = try TemporaryFolder().write(
            Self.federation(server, source: source, impersonates: true), to: "federation.json")
        try await Self.delivers(server, .file(path))
        #expect(try await server.tokenRequests().map(\.path).prefix(2) == ["/subject", "/sts"])
    }

    @Test func anAccountStandsForAServiceAccount() async throws {
        let server = try await PubSubServer()
        try await server.send("demand", ["name": "issued"])
        let tokens = server.addresses.tokens
        let path = try TemporaryFolder().write(
            """
            {"type": "impersonated_service_account", "service_account_impersonation_url":
               "\(tokens)/impersonate/v1/projects/-/serviceAccounts/\(ServiceAccountKey.email):generateAccessToken",
             "source_credentials": {"type": "authorized_user", "client_id": "client", "client_secret": "client-secret",
               "refresh_token": "1//refresh+token", "token_uri": "\(tokens)/token"}}
            """, to: "impersonation.json")
        try await Self.delivers(server, .file(path))
    }

    @Test func aClosureHasATokenAndMayFail() async throws {
        let server = try await PubSubServer()
        try await server.send("demand", ["name": "issued"])
        struct NotYet: Error {}
        let calls = Atomic(0)
        let credentials = PubSubCredentials.custom {
            if calls.add(1, ordering: .relaxed).newValue == 1 { throw NotYet() }
            return .init(try await server.send("issue", as: String.self), expiresIn: .seconds(3600))
        }
        let transport = try TransportUnderTest.secure(server, credentials)
        try await TransportUnderTest.with(transport) { transport in
            let batch = MessageBatch([.numbered(0)])
            var outcomes = try await transport.deliver(batch)
            #expect(outcomes[0].reason?.contains("NotYet") == true, "\(outcomes)")
            while outcomes[0].isUnavailable {
                await Task.yield()
                outcomes = try await transport.deliver(batch)
            }
            #expect(outcomes.areDelivered)
        }
    }

    @Test func tokensAreReplacedBeforeTheyExpire() async throws {
        let server = try await PubSubServer()
        try await server.send("demand", ["name": "issued"])
        // A token of four seconds is replaced after two.
        try await server.send("lifetime", ["seconds": 4])
        let host = String(server.addresses.tokens.dropFirst("http://".count))
        let transport = try TransportUnderTest.secure(server, .metadataServer, environment: ["GCE_METADATA_HOST": host])
        try await TransportUnderTest.with(transport) { transport in
            var number = 0
            while try await server.tokenRequests().count < 4 {
                let outcomes = try await transport.deliver(MessageBatch([.numbered(number)]))
                #expect(outcomes.areDelivered, "\(outcomes)")
                number += 1
            }
        }
        #expect(try await server.facts().violations == [])
    }

    @Test func aTokenThatIsRevokedIsReplaced() async throws {
        let server = try await PubSubServer()
        try await server.send("demand", ["name": "issued"])
        let host = String(server.addresses.tokens.dropFirst("http://".count))
        let transport = try TransportUnderTest.secure(server, .metadataServer, environment: ["GCE_METADATA_HOST": host])
        try await TransportUnderTest.with(transport) { transport in
            let first = try await transport.deliver(MessageBatch([.numbered(0)]))
            #expect(first.areDelivered)
            try await server.send("revoke")
            var outcomes = try await transport.deliver(MessageBatch([.numbered(1)]))
            #expect(outcomes[0].isUnavailable)
            #expect(outcomes[0].reason?.contains("UNAUTHENTICATED (ACCESS_TOKEN_EXPIRED)") == true, "\(outcomes)")
            while outcomes[0].isUnavailable {
                await Task.yield()
                outcomes = try await transport.deliver(MessageBatch([.numbered(1)]))
            }
            #expect(outcomes.areDelivered)
        }
        // A token that is refused is asked for once, however many messages were refused with it.
        #expect(try await server.tokenRequests().count == 2)
    }
}
