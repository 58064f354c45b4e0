import OutboxHTTP
import Testing

@testable import OutboxAWS

/// A signer keeps what the next request may need again; it signs as one that has kept nothing.
@Suite(.timeLimit(.minutes(5))) struct SigningFrameTests {
    private static let midnight = UTCTime(basic: "20260131T000000Z")!.seconds
    private static let credentials = AWSCredentials(accessKeyID: "A", secretAccessKey: "b")
    private static let request = HTTPRequest(
        "POST", "https://sqs.eu-central-1.amazonaws.com/", headers: [HTTPHeader("x-amz-target", "AmazonSQS.A")],
        body: Array("{}".utf8))

    private static func fresh(
        _ request: HTTPRequest, _ credentials: AWSCredentials, _ seconds: Int64, region: String = "r"
    ) -> [HTTPHeader] {
        RequestSigner(service: "sqs", region: region)
            .signed(request, with: credentials, at: UTCTime(seconds: seconds)).headers
    }

    @Test func aDayHasAKeyOfItsOwn() {
        let signer = RequestSigner(service: "sqs", region: "r")
        var signatures: Set<String> = []
        for second in [-2, -1, -1, 0, 0, 1, 86_399, 86_400, -1] {
            let seconds = Self.midnight + Int64(second)
            let headers = signer.signed(Self.request, with: Self.credentials, at: UTCTime(seconds: seconds)).headers
            #expect(headers == Self.fresh(Self.request, Self.credentials, seconds), "\(second)")
            signatures.insert(headers.last?.value ?? "")
        }
        #expect(signatures.count == 6)
    }

    @Test func whatChangesIsSignedAsItIs() {
        let signer = RequestSigner(service: "sqs", region: "r")
        func other(_ change: (inout AWSCredentials) -> Void) -> AWSCredentials {
            var credentials = Self.credentials
            change(&credentials)
            return credentials
        }
        func other(_ change: (inout HTTPRequest) -> Void) -> HTTPRequest {
            var request = Self.request
            change(&request)
            return request
        }
        let steps: [(HTTPRequest, AWSCredentials)] = [
            (Self.request, Self.credentials),
            // The id is the same, and the secret is not.
            (Self.request, other { $0.secretAccessKey = "c" }),
            (Self.request, other { $0.sessionToken = "t" }),
            (Self.request, other { $0.sessionToken = "u" }),
            (Self.request, other { $0.accessKeyID = "B" }),
            (other { $0.headers[0] = HTTPHeader("x-amz-target", "AmazonSQS.B") }, Self.credentials),
            (other { $0.headers.append(HTTPHeader("x-b", "1")) }, Self.credentials),
            (other { $0.headers = [] }, Self.credentials),
            (other { $0.url += "x" }, Self.credentials),
            (other { $0.method = "PUT" }, Self.credentials),
            (other { $0.body = [1] }, Self.credentials),
            (other { $0.body = [] }, Self.credentials),
            (Self.request, Self.credentials),
        ]
        var signatures: Set<String> = []
        for (request, credentials) in steps {
            let signed = signer.signed(request, with: credentials, at: UTCTime(seconds: Self.midnight))
            #expect(signed.headers == Self.fresh(request, credentials, Self.midnight))
            #expect(signed.body == request.body && signed.url == request.url && signed.method == request.method)
            signatures.insert(signed.headers.last?.value ?? "")
        }
        #expect(signatures.count == steps.count - 1)
    }

    @Test func tasksThatSignAtTheSameTimeHaveTheirOwnSignatures() async {
        let signer = RequestSigner(service: "sqs", region: "r")
        await withTaskGroup(of: Bool.self) { group in
            for task in 0..<8 {
                group.addTask {
                    let credentials = AWSCredentials(accessKeyID: "A\(task % 3)", secretAccessKey: "b\(task % 2)")
                    return (0..<200).allSatisfy { step in
                        let seconds = Self.midnight + Int64((step + task) % 4 - 2)
                        let signed = signer.signed(Self.request, with: credentials, at: UTCTime(seconds: seconds))
                        return signed.headers == Self.fresh(Self.request, credentials, seconds)
                    }
                }
            }
            for await isRight in group { #expect(isRight) }
        }
    }

    @Test func aKeyIsMadeAgainOnlyForAnotherPurpose() {
        let subject = { (second: Int64, credentials: AWSCredentials) in
            SigningFrame.Subject(
                method: "POST", url: "https://h/", headers: [], credentials: credentials,
                time: UTCTime(seconds: Self.midnight + second))
        }
        let first = SigningFrame(subject(0, Self.credentials), service: "s", region: "r", key: nil)
        // Of the same purpose, and the key of something else: it would be used.
        let wrong = SigningKey(
            SigningKey.Purpose(credentials: Self.credentials, day: "19700101", region: "r", service: "s"))
        let later = SigningFrame(subject(1, Self.credentials), service: "s", region: "r", key: first.key)
        #expect(later.key.purpose == first.key.purpose)
        for (second, credentials, region, service) in [
            (86_400, Self.credentials, "r", "s"), (0, Self.credentials, "q", "s"), (0, Self.credentials, "r", "t"),
            (0, AWSCredentials(accessKeyID: "A", secretAccessKey: "c"), "r", "s"),
        ] {
            for key in [first.key, wrong] {
                let reused = SigningFrame(
                    subject(Int64(second), credentials), service: service, region: region, key: key)
                let made = SigningFrame(subject(Int64(second), credentials), service: service, region: region, key: nil)
                #expect(reused.signature(of: [1]) == made.signature(of: [1]))
                #expect(reused.key.purpose == made.key.purpose && reused.key.purpose != first.key.purpose)
            }
        }
    }

    @Test func noSecretIsPrinted() {
        let credentials = AWSCredentials(accessKeyID: "A", secretAccessKey: "hidden", sessionToken: "hidden")
        let purpose = SigningKey.Purpose(credentials: credentials, day: "20260131", region: "r", service: "s")
        var text = ""
        dump(SigningKey(purpose), to: &text)
        #expect(!text.contains("hidden") && !text.contains("UInt8"))
    }
}
