import OutboxHTTP
import Testing

@testable import OutboxAWS

/// Signatures of AWS's test suite for Signature Version 4 and its documentation, and of botocore, which makes the same of these.
@Suite(.timeLimit(.minutes(5))) struct RequestSignerTests {
    private static let credentials = AWSCredentials(
        accessKeyID: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    private static let time = UTCTime(basic: "20150830T123600Z")!

    struct Vector: Sendable, CustomStringConvertible {
        let description: String
        let request: HTTPRequest
        var service = "service"
        var region = "us-east-1"
        var token: String?
        let signature: String
    }

    private static let sendMessages = [
        HTTPHeader("content-type", "application/x-amz-json-1.0"),
        HTTPHeader("x-amz-target", "AmazonSQS.SendMessageBatch"),
    ]

    private static let vectors = [
        Vector(
            description: "get-vanilla", request: HTTPRequest("GET", "https://example.amazonaws.com/"),
            signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        Vector(
            description: "post-vanilla", request: HTTPRequest("POST", "https://example.amazonaws.com"),
            signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        Vector(
            description: "post-x-www-form-urlencoded",
            request: HTTPRequest(
                "POST", "https://example.amazonaws.com/",
                headers: [HTTPHeader("Content-Type", "application/x-www-form-urlencoded")],
                body: Array("Param1=value1".utf8)),
            signature: "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
        Vector(
            description: "get-vanilla-query-order-key-case",
            request: HTTPRequest("GET", "https://example.amazonaws.com/?Param2=value2&Param1=value1"),
            signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
        Vector(
            description: "the example of the documentation",
            request: HTTPRequest(
                "GET", "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
                headers: [HTTPHeader("content-type", "application/x-www-form-urlencoded; charset=utf-8")]),
            service: "iam", signature: "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"),
        Vector(
            description: "a token, a port and a path with a space",
            request: HTTPRequest("POST", "http://127.0.0.1:4566/a%20b/", headers: sendMessages, body: Array("{}".utf8)),
            service: "sqs", region: "eu-central-1", token: "token/with+signs==",
            signature: "f5ee62f69ade16c88177f6adadd8ab3df290584c1455c8f2cf9abf4b1ffc7cd2"),
        Vector(
            description: "the scheme’s own port",
            request: HTTPRequest(
                "POST", "https://sqs.eu-central-1.amazonaws.com:443/", headers: sendMessages,
                body: Array("{\"ü\":1}".utf8)),
            service: "sqs", region: "eu-central-1",
            signature: "1c5f0f4afbf473862cf80e84561912622381702309ffb5b6a8f70bfa7536a778"),
    ]

    @Test(arguments: vectors)
    func signsAsAWSDoes(_ vector: Vector) {
        var credentials = Self.credentials
        credentials.sessionToken = vector.token
        let signed = RequestSigner(service: vector.service, region: vector.region)
            .signed(vector.request, with: credentials, at: Self.time)
        let authorization = signed.headers.first { $0.name == "authorization" }?.value ?? ""
        #expect(authorization.hasSuffix("Signature=\(vector.signature)"), "\(authorization)")
        #expect(signed.headers.contains(HTTPHeader("x-amz-date", "20150830T123600Z")))
        #expect(signed.headers.first { $0.name == "x-amz-security-token" }?.value == vector.token)
    }

    @Test func everythingThatIsSentIsSigned() {
        let request = HTTPRequest("POST", "https://a.b/", headers: [HTTPHeader("x-b", "  two   words ")], body: [1])
        func signature(_ request: HTTPRequest) -> String {
            RequestSigner(service: "s", region: "r").signed(request, with: Self.credentials, at: Self.time).headers
                .last!.value
        }
        let original = signature(request)
        var changed = request
        changed.body = [2]
        #expect(signature(changed) != original)
        changed = request
        changed.headers = [HTTPHeader("x-b", "two  words")]
        #expect(signature(changed) == original, "spaces around and between are one")
        changed.headers = [HTTPHeader("x-b", "twowords")]
        #expect(signature(changed) != original)
        changed = request
        changed.url = "https://a.c/"
        #expect(signature(changed) != original)
        changed.url = "https://a.b/x"
        #expect(signature(changed) != original)
    }

    @Test func itIsKnownWhatARequestWasSignedWith() {
        let old = AWSCredentials(accessKeyID: "A", secretAccessKey: "b", sessionToken: "t")
        let request = RequestSigner(service: "sqs", region: "r").signed(
            HTTPRequest("POST", "http://h/"), with: old, at: UTCTime(seconds: 0))
        #expect(RequestSigner.isSigned(request, with: old))
        for other in [
            AWSCredentials(accessKeyID: "A", secretAccessKey: "b"),
            AWSCredentials(accessKeyID: "A", secretAccessKey: "b", sessionToken: "u"),
            AWSCredentials(accessKeyID: "B", secretAccessKey: "b", sessionToken: "t"),
        ] { #expect(!RequestSigner.isSigned(request, with: other)) }
    }
}
