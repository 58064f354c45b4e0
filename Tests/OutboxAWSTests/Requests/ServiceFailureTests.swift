import Testing

@testable import OutboxAWS

@Suite(.timeLimit(.minutes(5))) struct ServiceFailureTests {
    @Test(arguments: [
        ("RequestThrottled", 400, ServiceFailure.Meaning.throttled), ("ThrottlingException", 400, .throttled),
        ("ProvisionedThroughputExceededException", 400, .throttled), ("LimitExceededException", 400, .throttled),
        ("KMSThrottlingException", 400, .throttled), ("KmsThrottled", 400, .throttled), ("", 429, .throttled),
        ("AWS.SimpleQueueService.NonExistentQueue", 400, .missing), ("QueueDoesNotExist", 400, .missing),
        ("ResourceNotFoundException", 400, .missing), ("ExpiredTokenException", 400, .expired),
        ("ExpiredToken", 403, .expired),
        ("InvalidSignatureException", 403, .unauthorized), ("SignatureDoesNotMatch", 403, .unauthorized),
        ("InvalidClientTokenId", 403, .unauthorized), ("UnrecognizedClientException", 400, .unauthorized),
        ("MissingAuthenticationTokenException", 403, .unauthorized), ("AccessDeniedException", 400, .forbidden),
        ("AccessDenied", 403, .forbidden), ("KMSDisabledException", 400, .forbidden), ("", 403, .unavailable),
        ("KMS.DisabledException", 400, .forbidden), ("Kms.ThrottlingException", 400, .throttled),
        ("KmsSomethingNew", 400, .forbidden),
        ("InternalFailure", 500, .unavailable), ("InternalServerError", 500, .unavailable),
        ("InternalError", 500, .unavailable),
        ("InternalFailureException", 500, .unavailable), ("ServiceUnavailableException", 503, .unavailable),
        ("", 502, .unavailable), ("", 301, .unavailable), ("ValidationException", 400, .invalid),
        ("BatchRequestTooLong", 400, .invalid), ("InvalidMessageContents", 400, .invalid),
        ("SerializationException", 400, .invalid),
        ("", 413, .invalid), ("", 404, .unavailable), ("UnsupportedOperation", 400, .missing),
        ("", 400, .unavailable), ("", 405, .unavailable), ("", 407, .unavailable), ("Odd", 404, .unavailable),
        ("Odd", 408, .unavailable), ("Odd", 421, .unavailable), ("Odd", 400, .unclear),
        ("UnknownOperationException", 404, .unavailable), ("InvalidAction", 400, .unavailable),
        ("InvalidAddress", 400, .missing),
    ])
    func knowsWhatACodeMeans(_ code: String, _ status: Int, _ meaning: ServiceFailure.Meaning) {
        #expect(ServiceFailure(status: status, code: code, message: "").meaning == meaning)
    }

    /// Else a topic of another region would make dead letters of all that is sent to it.
    @Test(arguments: [
        ("InvalidParameter", "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements", true),
        ("InvalidParameter", "Invalid parameter: Message too long", false),
        ("ValidationException", "1 validation error detected: Value 'x' at 'streamName' failed to satisfy", true),
        ("ValidationException", "1 validation error detected: Value at 'entries.1.member.eventBusName' failed", true),
        ("ValidationException", "1 validation error detected: Value at 'entries.1.member.detail' failed", false),
    ])
    func aParameterThatIsTheTargetIsNoFaultOfAMessage(_ code: String, _ message: String, _ isOfTarget: Bool) {
        let failure = ServiceFailure(status: 400, code: code, message: message)
        #expect(failure.meaning == (isOfTarget ? .missing : .invalid))
    }

    @Test(arguments: [
        ("InvalidSignatureException", "Signature expired: 20261129T000000Z is now earlier than …", true),
        ("SignatureDoesNotMatch", "Signature not yet current: …", true), ("RequestTimeTooSkewed", "", true),
        ("SignatureDoesNotMatch", "The request signature we calculated does not match", false),
        ("", "", false), ("AccessDenied", "expired", false),
    ])
    func onlyTheServiceSaysThatTheTimeIsOff(_ code: String, _ message: String, _ isAboutTime: Bool) {
        #expect(ServiceFailure(status: 403, code: code, message: message).isAboutTime == isAboutTime)
    }

    @Test func theWordsOfARefusedSignatureAreNotRepeated() {
        let failure = ServiceFailure(
            status: 403, code: "SignatureDoesNotMatch", message: "The Canonical String … x-amz-security-token:SECRET")
        #expect(failure.description == "SignatureDoesNotMatch")
        #expect(ServiceFailure(status: 500, code: "", message: "").description == "status 500")
        #expect(
            ServiceFailure(status: 400, code: "X", message: String(repeating: "y", count: 1000)).description.count < 500
        )
    }
}
