import OutboxHTTP

/// Signs requests with Signature Version 4.
///
/// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
struct RequestSigner: Sendable {
    /// The name of the service as signatures have it, such as `sqs`.
    let service: String
    let region: String
    private let lastFrame = LastFrame()

    init(service: String, region: String) {
        self.service = service
        self.region = region
    }

    /// The request with the time, the session's token and the signature as headers. All headers that it has are signed, and the host.
    func signed(_ request: HTTPRequest, with credentials: AWSCredentials, at time: UTCTime) -> HTTPRequest {
        let subject = SigningFrame.Subject(
            method: request.method, url: request.url, headers: request.headers, credentials: credentials, time: time)
        let frame = self.lastFrame.frame(for: subject, service: self.service, region: self.region)
        var request = request
        request.headers = frame.headers
        request.headers.append(HTTPHeader("authorization", frame.authorization + frame.signature(of: request.body)))
        return request
    }

    /// Whether a request was signed with these credentials.
    static func isSigned(_ request: HTTPRequest, with credentials: AWSCredentials) -> Bool {
        func value(_ name: String) -> String? { request.headers.first { $0.name == name }?.value }
        return value("authorization")?.contains("Credential=\(credentials.accessKeyID)/") == true
            && value("x-amz-security-token") == credentials.sessionToken
    }
}
