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
        ("AccessDenied", 403, .forbidden), ("KMSDisabledException", 400, .forbidden), ("", 403, .forbidden),
        ("InternalFailure", 500, .unavailable), ("InternalServerError", 500, .unavailable),
        ("InternalError", 500, .unavailable),
        ("InternalFailureException", 500, .unavailable), ("ServiceUnavailableException", 503, .unavailable),
        ("", 502, .unavailable), ("", 301, .unavailable), ("ValidationException", 400, .invalid),
        ("BatchRequestTooLong", 400, .invalid), ("InvalidMessageContents", 400, .invalid),
        ("SerializationException", 400, .invalid),
        ("", 413, .invalid), ("", 404, .unavailable), ("UnsupportedOperation", 400, .unclear),
        ("InvalidAddress", 400, .missing),
    ])
    func knowsWhatACodeMeans(_ code: String, _ status: Int, _ meaning: ServiceFailure.Meaning) {
        #expect(ServiceFailure(status: status, code: code, message: "").meaning == meaning)
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
