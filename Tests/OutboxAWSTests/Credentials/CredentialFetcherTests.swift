import Foundation
import OutboxHTTP
import Testing

@testable import OutboxAWS

/// Credentials from each place, the places being answers that a test's server is told to give.
@Suite(.serialized, .timeLimit(.minutes(10))) struct CredentialFetcherTests {
    private static let answer =
        #"{"AccessKeyId":"AKID","SecretAccessKey":"s3cr3t","Token":"t0k3n","Expiration":"2031-01-31T12:00:00Z"}"#
    private static let expected = AWSCredentials(
        accessKeyID: "AKID", secretAccessKey: "s3cr3t", sessionToken: "t0k3n",
        expiration: Date(timeIntervalSince1970: 1_927_627_200))

    private func fetcher(
        _ source: AWSCredentialSource, _ variables: [String: String], files: [String: String] = [:]
    ) -> CredentialFetcher {
        CredentialFetcher(
            source: source, profileName: nil, region: "eu-central-1",
            surroundings: Surroundings(variables: variables) { files[$0] }, http: HTTPConfiguration())
    }

    private func complaint(_ fetcher: CredentialFetcher) async -> String {
        do {
            _ = try await fetcher.fetch()
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test func environment() async throws {
        let variables = ["AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": ""]
        let expected = AWSCredentials(accessKeyID: "A", secretAccessKey: "b")
        #expect(try await self.fetcher(.environment, variables).fetch() == expected)
        #expect(try await self.fetcher(.standard, variables).fetch() == expected)
        let half = await self.complaint(self.fetcher(.standard, ["AWS_ACCESS_KEY_ID": "A"]))
        #expect(half.contains("only one"), "a half is no reason to look elsewhere")
    }

    @Test func profile() async throws {
        let files = [
            "/c": "[default]\naws_access_key_id=A\naws_secret_access_key=b",
            "/f": "[profile p]\ncredential_process=x\n[profile half]\naws_access_key_id=A\n[profile none]\nregion=r",
        ]
        let variables = ["AWS_SHARED_CREDENTIALS_FILE": "/c", "AWS_CONFIG_FILE": "/f"]
        #expect(try await self.fetcher(.profile(), variables, files: files).fetch().accessKeyID == "A")
        #expect(try await self.fetcher(.standard, variables, files: files).fetch().accessKeyID == "A")
        #expect(
            await self.complaint(self.fetcher(.profile("p"), variables, files: files)).contains("credential_process"))
        #expect(await self.complaint(self.fetcher(.profile("half"), variables, files: files)).contains("only one"))
        #expect(
            await self.complaint(self.fetcher(.profile("none"), variables, files: files)).contains("no credentials"))
        #expect(await self.complaint(self.fetcher(.profile("q"), variables, files: files)).contains("no profile “q”"))
    }

    /// Messages would else go out in the name of the role's source, into another account.
    @Test(arguments: [
        "role_arn=r\nsource_profile=p", "role_arn=r\ncredential_source=Environment", "role_arn=r", "sso_session=s",
        "sso_start_url=u", "sso_account_id=1", "sso_role_name=n", "login_session=l",
    ])
    func keysOfAProfileWithARoleAreNotUsed(_ lines: String) async {
        let files = ["/c": "[default]\naws_access_key_id=A\naws_secret_access_key=b\n" + lines]
        let variables = ["AWS_SHARED_CREDENTIALS_FILE": "/c"]
        for source in [AWSCredentialSource.profile(), .standard] {
            let complaint = await self.complaint(self.fetcher(source, variables, files: files))
            #expect(complaint.contains("which is not known here"), "\(complaint)")
        }
    }

    @Test func aProfilesOwnKeysGoBeforeItsCommand() async throws {
        let files = ["/c": "[default]\ncredential_process=x\naws_access_key_id=A\naws_secret_access_key=b"]
        let fetcher = self.fetcher(.profile(), ["AWS_SHARED_CREDENTIALS_FILE": "/c"], files: files)
        #expect(try await fetcher.fetch().accessKeyID == "A")
    }

    /// Another source would be another identity.
    @Test func aNamedProfileWithoutCredentialsIsNoReasonToLookElsewhere() async {
        let variables = [
            "AWS_CONFIG_FILE": "~/c", "HOME": "/h", "AWS_PROFILE": "shop",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/",
        ]
        let files = ["/h/c": "[profile shop]\nregion=r"]
        let complaint = await self.complaint(self.fetcher(.standard, variables, files: files))
        #expect(complaint == "the profile “shop” has no credentials")
    }

    @Test func aFileThatCannotBeReadIsNoMissingOne() async {
        let surroundings = Surroundings(variables: ["HOME": "/h"], isThere: { $0 == "/h/.aws/credentials" })
        let fetcher = CredentialFetcher(
            source: .standard, profileName: nil, region: "r", surroundings: surroundings, http: HTTPConfiguration())
        #expect(await self.complaint(fetcher).contains("cannot be read"))
    }

    @Test func container() async throws {
        let testbed = try await AWSTestbed(.ministack)
        let url = "\(testbed.endpoint)/v1/credentials"
        try await testbed.answer(status: 200, Self.answer, times: 2)
        var variables = ["AWS_CONTAINER_CREDENTIALS_FULL_URI": url, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Basic x"]
        #expect(try await self.fetcher(.container, variables).fetch() == Self.expected)
        variables["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = "/t"
        #expect(try await self.fetcher(.standard, variables, files: ["/t": "Bearer y"]).fetch() == Self.expected)
        #expect(try await testbed.requests().map { $0.headers["authorization"] } == ["Basic x", "Bearer y"])
        #expect(await self.complaint(self.fetcher(.container, variables)).contains("cannot be read"))
        // A line break would make two headers of one.
        #expect(await self.complaint(self.fetcher(.container, variables, files: ["/t": "a\nb"])).contains("line break"))
        variables = ["AWS_CONTAINER_CREDENTIALS_FULL_URI": url]
        try await testbed.answer(status: 404, "")
        #expect(await self.complaint(self.fetcher(.container, variables)).contains("404"))
        try await testbed.answer(status: 200, #"{"AccessKeyId":"A"}"#)
        #expect(await self.complaint(self.fetcher(.container, variables)).contains("no access key"))
        try await testbed.answer(status: 200, Self.answer.replacing("2031-01-31T12:00:00Z", with: "soon"))
        #expect(await self.complaint(self.fetcher(.container, variables)).contains("no time"))
    }

    @Test(arguments: [
        ("http://169.254.170.2/x", true), ("http://169.254.170.23/v1/credentials", true),
        ("http://[fd00:ec2::23]/x", true),
        ("http://127.0.0.1:80/x", true), ("http://localhost/x", true), ("https://anything.example/x", true),
        ("http://169.254.169.254/x", false), ("http://example.com/x", false), ("http://127.0.0.1.example.com/x", false),
        ("http://127.evil/x", false), ("http://user@127.0.0.1/x", false), ("ftp://127.0.0.1/x", false), ("", false),
    ])
    func theContainersTokenGoesToNoStranger(_ url: String, _ isTrusted: Bool) {
        #expect(CredentialFetcher.mayBeTrusted(url) == isTrusted)
    }

    @Test func instance() async throws {
        let testbed = try await AWSTestbed(.ministack)
        try await testbed.answer(status: 200, "METADATA-TOKEN")
        try await testbed.answer(status: 200, "shop-role\n")
        try await testbed.answer(status: 200, Self.answer)
        let variables = ["AWS_EC2_METADATA_SERVICE_ENDPOINT": testbed.endpoint + "/"]
        #expect(try await self.fetcher(.standard, variables).fetch() == Self.expected)
        let requests = try await testbed.requests()
        #expect(requests.map { $0.headers["x-aws-ec2-metadata-token"] } == [nil, "METADATA-TOKEN", "METADATA-TOKEN"])
        #expect(requests[0].headers["x-aws-ec2-metadata-token-ttl-seconds"] == "21600")
        let off = variables.merging(["AWS_EC2_METADATA_DISABLED": "true"]) { $1 }
        let complaint = await self.complaint(self.fetcher(.standard, off))
        #expect(complaint.contains("there are no credentials") && complaint.contains("AWS_ACCESS_KEY_ID is not set"))
        try await testbed.stop()
        #expect(await self.complaint(self.fetcher(.instanceMetadata, variables)).contains("metadata service"))
    }

    @Test func webIdentity() async throws {
        let testbed = try await AWSTestbed(.open)
        let variables = [
            "AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/shop",
            "AWS_ENDPOINT_URL_STS": testbed.endpoint,
        ]
        let files = [
            "/t": "a.b+c/d=\n",
            "/f": "[profile w]\nrole_arn=arn:aws:iam::123456789012:role/w\nweb_identity_token_file=/t",
        ]
        let before = Date()
        let credentials = try await self.fetcher(.standard, variables, files: files).fetch()
        #expect(credentials.accessKeyID.hasPrefix("ASIA") && credentials.sessionToken?.isEmpty == false)
        #expect(credentials.expiration.map { $0 > before } == true)
        let other = ["AWS_CONFIG_FILE": "/f", "AWS_ENDPOINT_URL_STS": testbed.endpoint]
        #expect(try await self.fetcher(.profile("w"), other, files: files).fetch().accessKeyID.hasPrefix("ASIA"))
        #expect(await self.complaint(self.fetcher(.webIdentity, variables)).contains("cannot be read"))
        try await testbed.answer(status: 400, "<Error><Code>ExpiredTokenException</Code></Error>")
        #expect(
            await self.complaint(self.fetcher(.webIdentity, variables, files: files)).contains(
                "STS answered with status 400"))
        #expect(
            await self.complaint(self.fetcher(.webIdentity, ["AWS_WEB_IDENTITY_TOKEN_FILE": "/t"])).contains(
                "AWS_ROLE_ARN"))
    }

    @Test func whatIsSecretIsNotPrinted() {
        let text = String(reflecting: Self.expected) + "\(Self.expected)" + String(describing: [Self.expected])
        #expect(!text.contains("s3cr3t") && !text.contains("t0k3n"))
        var dumped = ""
        dump(Self.expected, to: &dumped)
        dump(AWSConfiguration(credentials: .fixed(Self.expected)), to: &dumped)
        #expect(!dumped.contains("s3cr3t") && !dumped.contains("t0k3n"))
    }
}
