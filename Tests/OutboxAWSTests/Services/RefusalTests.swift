import Outbox
import OutboxTesting
import TestSupport
import Testing

@testable import OutboxAWS

/// Bad input and refusals: each a clear outcome, never a loop.
@Suite(.serialized, .timeLimit(.minutes(10))) struct RefusalTests {
    private func batch(_ count: Int) -> MessageBatch { MessageBatch((0..<count).map { .text("\($0)", key: "k\($0)") }) }

    @Test func aMissingQueueIsAnOutageOfItsDestination() async throws {
        let testbed = try await AWSTestbed(.moto)
        try await running(try testbed.queue("nothing")) { transport async throws in
            let outcomes = try await transport.deliver(self.batch(3))
            #expect(outcomes.allSatisfy { $0.isUnavailable }, "\(outcomes)")
            #expect(
                outcomes[0].reason?.contains("nothing") == true
                    && outcomes[0].reason?.contains("QueueDoesNotExist") == true)
            #expect(!transport.health.isUp)
            let before = await transport.check()
            #expect(before.reason?.contains("QueueDoesNotExist") == true, "\(before)")
            try await testbed.makeQueue("nothing")
            #expect(try await transport.deliver(self.batch(3)).areDelivered)
        }
    }

    @Test func aQueueThatIsRemovedIsLookedUpAgain() async throws {
        let testbed = try await AWSTestbed(.moto)
        try await testbed.makeQueue("orders")
        try await running(try testbed.queue("orders")) { transport async throws in
            #expect(try await transport.deliver(self.batch(1)).areDelivered)
            try await testbed.removeQueue("orders")
            #expect(try await transport.deliver(self.batch(1))[0].isUnavailable)
            _ = try await testbed.requests()
            #expect(try await transport.deliver(self.batch(1))[0].isUnavailable)
            #expect(try await testbed.requests().map(\.operation) == ["GetQueueUrl"])
        }
    }

    @Test func aMissingQueueOfATemplateIsTheMessagesOwnTrouble() async throws {
        let testbed = try await AWSTestbed(.moto)
        try await testbed.makeQueue("one")
        try await testbed.makeQueue("two")
        try await running(try testbed.queue("{route}")) { transport async throws in
            let routes = ["one", "nothing", "two", "not a name", nil]
            let outcomes = try await transport.deliver(MessageBatch(routes.map { .text("x", route: $0) }))
            #expect(outcomes[0] == .delivered && outcomes[2] == .delivered)
            #expect(outcomes[1].isRetry && outcomes[1].reason?.contains("nothing") == true)
            #expect(outcomes[3].isRejection && outcomes[4].isRejection)
            #expect(transport.health.isUp)
        }
        #expect(try await testbed.drain("one").count == 1)
    }

    /// Rights are no fault of a message: no attempt is counted.
    @Test func rightsThatAreMissingForOneOfManyTargetsPostpone() async throws {
        let testbed = try await AWSTestbed(.ministack)
        try await testbed.makeQueue("one")
        try await testbed.makeStream("one")
        let denied = #"{"__type":"com.amazon.coral.service#AccessDeniedException","message":"not you"}"#
        let batch = MessageBatch([.text("x", route: "one")])
        try await running(try testbed.queue("{route}")) { transport async throws in
            try await testbed.answer("GetQueueUrl", status: 400, denied)
            #expect(try await transport.deliver(batch)[0].isPostponed)
            try await testbed.answer("SendMessageBatch", status: 403, denied)
            #expect(try await transport.deliver(batch)[0].isPostponed)
            try await testbed.answer("SendMessageBatch", status: 403, "<html>a proxy</html>")
            #expect(try await transport.deliver(batch)[0].isUnavailable)
        }
        try await running(try testbed.stream("{route}")) { transport async throws in
            try await testbed.answer("PutRecords", status: 200, #"{"Records":[{"ErrorCode":"KMSDisabledException"}]}"#)
            #expect(try await transport.deliver(batch)[0].isPostponed)
            try await testbed.answer("PutRecords", status: 400, denied)
            #expect(try await transport.deliver(batch)[0].isPostponed)
        }
    }

    @Test func aNameThatIsNoneIsAnOutageWhereAllMessagesHaveIt() async throws {
        let batch = MessageBatch([NewMessage(to: "my orders", route: "x", text: "{}")])
        var aws = AWSConfiguration(region: "eu-central-1", endpoint: "http://127.0.0.1:1")
        aws.credentials = .fixed(AWSCredentials(accessKeyID: "a", secretAccessKey: "b"))
        try await running(try SQSTransport(SQSConfiguration(queue: "{destination}", aws: aws))) {
            transport async throws in
            #expect(try await transport.deliver(batch)[0].isUnavailable)
            #expect(transport.health.reason?.contains("is no queue") == true)
        }
        try await running(try KinesisTransport(KinesisConfiguration(stream: "{destination}", aws: aws))) {
            transport async throws in
            #expect(try await transport.deliver(batch)[0].isUnavailable)
        }
        let topic = SNSConfiguration(topic: "{destination}", account: "123456789012", aws: aws)
        try await running(try SNSTransport(topic)) { transport async throws in
            #expect(try await transport.deliver(batch)[0].isUnavailable)
        }
    }

    @Test func aServiceThatIsDownIsNotAskedForEachQueue() async throws {
        let testbed = try await AWSTestbed(.ministack)
        try await testbed.answer("GetQueueUrl", status: 503, "", times: 20)
        try await running(try testbed.queue("{route}") { $0.aws.connection.maximumConnections = 1 }) {
            transport async throws in
            let outcomes = try await transport.deliver(MessageBatch((0..<20).map { .text("x", route: "q\($0)") }))
            #expect(outcomes.allSatisfy { $0.isUnavailable || $0 == .behind }, "\(outcomes)")
            #expect(try await testbed.requests().count == 1)
        }
    }

    /// What was confirmed would else be sent once more.
    @Test func aDeliveryThatIsCancelledKeepsWhatEarlierRoundsDelivered() async throws {
        let testbed = try await AWSTestbed(.ministack)
        try await testbed.makeQueue("orders")
        try await running(try testbed.queue("orders")) { transport async throws in
            _ = try await transport.deliver(self.batch(1))
            let batch = self.batch(2)
            try await testbed.answer(
                "SendMessageBatch", status: 200,
                #"{"Successful":[{"Id":"0-\#(batch[0].id)","MessageId":"m"}],"#
                    + #""Failed":[{"Id":"1-\#(batch[1].id)","Code":"RequestThrottled","SenderFault":true}]}"#)
            try await testbed.answer(
                "SendMessageBatch", status: 400, #"{"__type":"com.amazonaws.sqs#RequestThrottled"}"#, times: 20)
            _ = try await testbed.requests()
            let delivery = Task { try await transport.deliver(batch) }
            var count = 0
            try await eventually("there is another round") {
                count += try await testbed.requests().count
                return count > 1
            }
            delivery.cancel()
            #expect(try await delivery.value[0] == .delivered)
        }
    }

    @Test func aMissingStreamIsAnOutageOfItsDestination() async throws {
        let testbed = try await AWSTestbed(.moto)
        try await running(try testbed.stream("nothing")) { transport async throws in
            let outcomes = try await transport.deliver(self.batch(3))
            #expect(outcomes.allSatisfy { $0.isUnavailable }, "\(outcomes)")
            #expect(outcomes[0].reason?.contains("ResourceNotFound") == true)
            let health = await transport.check()
            #expect(health.reason?.contains("ResourceNotFound") == true, "\(health)")
        }
        try await running(try testbed.stream("{route}")) { transport async throws in
            #expect(try await transport.deliver(self.batch(3)).allSatisfy { $0.isRetry })
        }
    }

    @Test func theMessageThatARequestIsRefusedForIsFound() async throws {
        let testbed = try await AWSTestbed(.ministack)
        try await testbed.makeQueue("orders.fifo")
        try await running(try testbed.queue("orders.fifo")) { transport async throws in
            try await testbed.answer(
                "SendMessageBatch", status: 400, #"{"__type":"com.amazonaws.sqs#BatchRequestTooLong"}"#)
            #expect(try await transport.deliver(self.batch(10)).areDelivered, "each alone")
            // Refused together, and one of them alone too.
            try await testbed.answer(
                "SendMessageBatch", status: 400, #"{"__type":"com.amazonaws.sqs#InvalidMessageContents"}"#, times: 2)
            let outcomes = try await transport.deliver(self.batch(10))
            #expect(outcomes.filter { $0.isRejection }.count == 1 && outcomes.filter { $0 == .delivered }.count == 9)
        }
    }

    /// A code that is not known here may be about anything: attempts are counted, and in the end it is a dead letter.
    @Test func whatIsRefusedForAnUnknownReasonIsTriedAgain() async throws {
        let testbed = try await AWSTestbed(.ministack)
        try await testbed.makeStream("events")
        try await running(try testbed.stream("events")) { transport async throws in
            try await testbed.answer("PutRecords", status: 400, #"{"__type":"OddException","message":"odd"}"#, times: 2)
            let outcomes = try await transport.deliver(self.batch(3))
            #expect(outcomes.filter { $0.isRetry && $0.reason?.contains("OddException: odd") == true }.count == 1)
            #expect(outcomes.filter { $0 == .delivered }.count == 2, "each was sent alone")
        }
    }

    @Test func entriesAreToldApart() async throws {
        let testbed = try await AWSTestbed(.ministack)
        try await testbed.makeQueue("orders")
        try await running(try testbed.queue("orders")) { transport async throws in
            _ = try await transport.deliver(self.batch(1))
            let batch = self.batch(4)
            let ids = batch.map(\.id)
            try await testbed.answer(
                "SendMessageBatch", status: 200,
                #"{"Successful":[{"Id":"0-\#(ids[0])","MessageId":"m"}],"#
                    + #""Failed":[{"Id":"1-\#(ids[1])","Code":"InvalidMessageContents","SenderFault":true},"#
                    + #"{"Id":"2-\#(ids[2])","Code":"RequestThrottled","SenderFault":true},"#
                    + #"{"Id":"3-\#(ids[3])","Code":"InternalError","SenderFault":false}]}"#
            )
            let outcomes = try await transport.deliver(batch)
            #expect(outcomes[0] == .delivered && outcomes[1].isRejection)
            #expect(outcomes[2] == .delivered && outcomes[3] == .delivered, "sent again after a pause")
            try await testbed.answer(
                "SendMessageBatch", status: 200,
                #"{"Failed":[{"Id":"0-\#(ids[0])","Code":"InternalError","SenderFault":false}]}"#)
            #expect(try await transport.deliver(MessageBatch(Array(batch.prefix(1))))[0].isUnavailable)
            #expect(!transport.health.isUp, "it took nothing")
        }
    }

    /// A service that takes others and fails on one message, again and again: that message has its attempts, and the destination is not down.
    @Test func aMessageThatTheServiceFailsOnDies() async throws {
        let testbed = try await AWSTestbed(.ministack)
        try await testbed.makeStream("events")
        try await running(try testbed.stream("events")) { transport async throws in
            let outbox = InMemoryOutbox()
            for number in 0..<2 { try outbox.enqueue(.text("\(number)", key: "k\(number)")) }
            try await testbed.answer(
                "PutRecords", status: 200,
                #"{"FailedRecordCount":1,"Records":[{"ErrorCode":"InternalFailure","ErrorMessage":"odd"}]}"#,
                times: 1000)
            let result = try await outbox.drain(
                routes: [
                    "orders": .batch(maximumCount: 2, retry: .exponential(maximumAttempts: 2)) { batch in
                        // What the service does with both.
                        if batch.allSatisfy({ $0.attempt == 1 }) {
                            return batch.map { $0.text == "0" ? .delivered : .retry("odd") }
                        }
                        return try await transport.deliver(MessageBatch(batch, isOrderedByKey: true))
                    }
                ])
            #expect(result.delivered.map(\.id) == [1], "\(result)")
            #expect(result.dead.map(\.id) == [2], "\(result)")
        }
    }

    @Test func aServiceThatThrottlesForLongPostpones() async throws {
        let testbed = try await AWSTestbed(.ministack)
        try await testbed.makeQueue("orders")
        try await testbed.makeStream("events")
        try await running(try testbed.queue("orders")) { transport async throws in
            _ = try await transport.deliver(self.batch(1))
            try await testbed.misbehave(["throttle": 1])
            let outcomes = try await transport.deliver(self.batch(2))
            #expect(outcomes.allSatisfy { $0.isPostponed }, "\(outcomes)")
            #expect(transport.health.isUp, "it answers")
            try await testbed.misbehave([:])
            #expect(try await transport.deliver(self.batch(2)).areDelivered)
        }
        try await testbed.misbehave(["throttle": 1])
        try await running(try testbed.stream("events")) { transport async throws in
            #expect(try await transport.deliver(self.batch(2)).allSatisfy { $0.isPostponed })
        }
    }

    @Test(arguments: [
        (200, "<html>"), (200, "{}"), (503, ""), (500, #"{"__type":"InternalFailure"}"#), (301, ""), (404, "<html>"),
        (400, "<html>"), (403, "<html>"), (405, ""), (407, "<html>"), (408, ""), (421, ""),
        (404, #"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#),
        (400, #"{"__type":"UnsupportedOperation"}"#), (400, #"{"__type":"KMS.DisabledException"}"#),
        (403, "<Response><Errors><Error><Code>SignatureDoesNotMatch</Code></Error></Errors></Response>"),
    ])
    func whatIsNoAnswerOfTheServiceIsNoDelivery(_ status: Int, _ body: String) async throws {
        let testbed = try await AWSTestbed(.ministack)
        try await testbed.makeStream("events")
        try await running(try testbed.stream("events")) { transport async throws in
            try await testbed.answer("PutRecords", status: status, body, headers: ["location": "http://127.0.0.1:1/"])
            let outcomes = try await transport.deliver(self.batch(1))
            #expect(outcomes[0].isUnavailable, "\(outcomes)")
        }
        #expect(try await testbed.records("events").isEmpty)
    }

    @Test func credentialsThatHaveExpiredAreAnOutageAndFetchedAgain() async throws {
        let testbed = try await AWSTestbed(.ministack)
        try await testbed.makeStream("events")
        let fetches = Counter()
        let credentials = AWSCredentialSource.custom {
            AWSCredentials(accessKeyID: "A\(fetches.next())", secretAccessKey: "b")
        }
        try await running(try testbed.stream("events") { $0.aws.credentials = credentials }) { transport async throws in
            #expect(try await transport.deliver(self.batch(1)).areDelivered)
            try await testbed.answer("PutRecords", status: 400, #"{"__type":"ExpiredTokenException","message":"over"}"#)
            let outcomes = try await transport.deliver(self.batch(2))
            #expect(outcomes.allSatisfy { $0.isUnavailable } && outcomes[0].reason?.contains("ExpiredToken") == true)
            try await eventually("they are fetched again") { fetches.count > 1 }
            #expect(try await transport.deliver(self.batch(1)).areDelivered)
        }
    }

    @Test func withoutCredentialsThereIsAnOutage() async throws {
        let testbed = try await AWSTestbed(.ministack)
        try await testbed.makeQueue("orders")
        let none = AWSCredentialSource.custom { throw CredentialError(.failed, "the vault is closed") }
        try await running(try testbed.queue("orders") { $0.aws.credentials = none }) { transport async throws in
            let outcomes = try await transport.deliver(self.batch(2))
            #expect(
                outcomes.allSatisfy { $0.isUnavailable } && outcomes[0].reason?.contains("the vault is closed") == true)
            let health = await transport.contact()
            #expect(health.reason?.contains("the vault is closed") == true)
        }
    }

    @Test func whatNothingCanTakeIsRejectedWithoutARequest() async throws {
        let testbed = try await AWSTestbed(.ministack)
        try await testbed.makeQueue("orders")
        try await running(try testbed.queue("orders")) { transport async throws in
            let bad: [NewMessage] = [
                NewMessage(to: "orders", payload: []), NewMessage(to: "orders", payload: [0xFF]), .text("\u{1}"),
                .text(String(repeating: "a", count: 1_048_577)), .text("a", headers: ["b c": "d"]),
                .text("a", headers: Dictionary(uniqueKeysWithValues: (0..<11).map { ("h\($0)", "v") })),
            ]
            let outcomes = try await transport.deliver(MessageBatch(bad + [.text("good")]))
            #expect(outcomes.dropLast().allSatisfy { $0.isRejection } && outcomes.last == .delivered)
        }
        #expect(try await testbed.drain("orders").map(\.text) == ["good"])
    }
}
