import Testing

@testable import OutboxAWS

@Suite(.timeLimit(.minutes(5))) struct ProfileFileTests {
    @Test func readsAConfiguration() {
        let file = ProfileFile(
            """
            # a comment
            [default]
            region=eu-central-1
            [profile  shop]
            region = us-east-1  ; not here
            role_arn = arn:aws:iam::1:role/a#b
            s3 =
              max_concurrent_requests = 20
            [sso-session x]
            sso_region = eu-west-1
            [shop]
            region = nowhere
            [profile shop]
            output = json
            """, kind: .configuration)
        #expect(file.profiles["default"] == ["region": "eu-central-1"])
        #expect(
            file.profiles["shop"] == [
                "region": "us-east-1", "role_arn": "arn:aws:iam::1:role/a#b", "s3": "", "output": "json",
            ])
        #expect(file.profiles.count == 2)
    }

    @Test func readsCredentials() {
        let file = ProfileFile(
            "[default]\r\naws_access_key_id = A\r\nAWS_SECRET_ACCESS_KEY= b/c+d=\r\n[shop]\naws_access_key_id=B\n",
            kind: .credentials)
        #expect(file.profiles["default"] == ["aws_access_key_id": "A", "aws_secret_access_key": "b/c+d="])
        #expect(file.profiles["shop"] == ["aws_access_key_id": "B"])
    }

    @Test(arguments: ["", "[", "[]", "=", "a=b", "[x", "[ ]\na=b", "\u{0}[x]\u{0}"])
    func whatIsNoSuchTextHasNothing(_ text: String) {
        #expect(ProfileFile(text, kind: .credentials).profiles.values.allSatisfy { $0.isEmpty })
        #expect(ProfileFile(text, kind: .configuration).profiles.values.allSatisfy { $0.isEmpty })
    }

    @Test func theFileOfCredentialsGoesBeforeTheConfiguration() throws {
        let surroundings = Surroundings(variables: ["HOME": "/home/x", "AWS_PROFILE": "shop"]) { path in
            switch path {
            case "/home/x/.aws/config": "[profile shop]\nregion=r\naws_access_key_id=old\naws_secret_access_key=old"
            case "/home/x/.aws/credentials": "[shop]\naws_access_key_id=A\naws_secret_access_key=b\naws_session_token=t"
            default: nil
            }
        }
        let profile = SharedProfile(nil, surroundings)
        #expect(profile.name == "shop" && profile.isPresent && profile["region"] == "r")
        #expect(try profile.credentials() == AWSCredentials(accessKeyID: "A", secretAccessKey: "b", sessionToken: "t"))
        #expect(!SharedProfile("other", surroundings).isPresent)
    }
}
