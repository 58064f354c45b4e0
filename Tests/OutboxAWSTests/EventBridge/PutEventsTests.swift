import Outbox
import OutboxTesting
import Testing

@testable import OutboxAWS

@Suite(.timeLimit(.minutes(5))) struct PutEventsTests {
    private func action(_ change: (inout EventBridgeConfiguration) -> Void = { _ in }) -> PutEvents {
        var configuration = EventBridgeConfiguration(bus: "shop")
        change(&configuration)
        return PutEvents(configuration: configuration)
    }

    private func refusal(_ new: NewMessage, _ change: (inout EventBridgeConfiguration) -> Void = { _ in }) -> String {
        do throws(MessageRefusal) {
            _ = try self.action(change).entry(for: message(new))
            return ""
        } catch {
            return error.reason
        }
    }

    @Test func writesARequest() throws {
        let action = self.action()
        let entries = [try action.entry(for: message(.text(#"{"a":"ü"}"#)))]
        let body = String(decoding: action.body(of: entries, address: "shop"), as: UTF8.self)
        #expect(
            body == #"{"Entries":[{"EventBusName":"shop","Source":"orders","DetailType":"orders","#
                + #""Detail":"{\"a\":\"ü\"}","Time":1700000000.0}]}"#)
    }

    @Test(arguments: ["", "a", "[]", "1", "null", "{", #"{"a":}"#, "{} {}", "\u{0}"])
    func refusesWhatIsNoObject(_ text: String) {
        #expect(self.refusal(.text(text)).contains("no JSON object"))
        #expect(self.refusal(.text(text)) { $0.content = .envelope }.isEmpty)
    }

    @Test func refusesWhatEventBridgeDoesNotTake() {
        #expect(self.refusal(.text("{}", route: "aws.x")) { $0.source = "{route}" }.contains("the service’s own"))
        #expect(self.refusal(.text("{}", route: nil)).contains("no type of detail"))
        #expect(self.refusal(.text("{}", route: String(repeating: "x", count: 129))).contains("128"))
        #expect(self.refusal(.text(#"{"a":"\#(String(repeating: "x", count: 1_000_000))"}"#)).contains("takes 1000000"))
        #expect(self.refusal(NewMessage(to: "orders", route: "x", payload: [0xFF])).contains("no JSON object"))
    }

    private func results(_ text: String) -> [EntryResult]? {
        let entries = (0..<2).compactMap { _ in try? self.action().entry(for: message(.text("{}"))) }
        return self.action().results(in: Array(text.utf8), of: entries)
    }

    @Test func readsAnAnswer() {
        #expect(
            self.results(#"{"FailedEntryCount":0,"Entries":[{"EventId":"1"},{"EventId":"2"}]}"#) == [
                .delivered, .delivered,
            ])
        #expect(
            self.results(
                #"{"Entries":[{"ErrorCode":"MalformedDetail","ErrorMessage":"m"},{"ErrorCode":"ThrottlingException"}]}"#
            )
                == [.refused("EventBridge: MalformedDetail: m"), .throttled("EventBridge: ThrottlingException")])
        #expect(
            self.results(
                #"{"Entries":[{"ErrorCode":"InternalFailure"},{"ErrorCode":"NotAuthorizedForSourceException"}]}"#)
                == [
                    .failed("EventBridge: InternalFailure"), .forbidden("EventBridge: NotAuthorizedForSourceException"),
                ])
        #expect(self.results(#"{"Entries":[{},{"EventId":"2"}]}"#)?.first != .delivered)
        #expect(self.results(#"{"Entries":[{"EventId":""},{"ErrorCode":"Odd"}]}"#)?.first != .delivered)
        #expect(
            self.results(#"{"Entries":[{"EventId":""},{"ErrorCode":"Odd"}]}"#)?.last == .unclear("EventBridge: Odd"))
    }

    @Test(arguments: ["", "<html>", "{}", #"{"Entries":[]}"#, #"{"Entries":[{"EventId":"1"}]}"#])
    func whatIsNoAnswerIsNone(_ text: String) { #expect(self.results(text) == nil) }

    @Test func readsAnAddress() throws {
        let configuration = try EventBridgeConfiguration(
            url:
                "eventbridge://shop?region=eu-west-1&source=s.{destination}&detail_type={route|x}&content=envelope&linger=1s"
        )
        #expect(configuration.bus.text == "shop" && configuration.source.text == "s.{destination}")
        #expect(configuration.detailType.text == "{route|x}" && configuration.content == .envelope)
        #expect(configuration.linger == .seconds(1) && configuration.aws.region == "eu-west-1")
    }

    @Test(arguments: [
        ("eventbridge://shop?sourec=x", "did you mean “source”"), ("eventbridge://shop?source=aws.x", "aws."),
        ("eventbridge://shop?source=", "not empty"), ("eventbridge://shop?content=x", "envelope, payload"),
        ("eventbridge://u@shop", "no user"),
    ])
    func refuses(_ url: String, _ words: String) {
        let complaint = complaint { () throws(TransportConfigurationError) in _ = try EventBridgeConfiguration(url: url)
        }
        #expect(complaint.contains(words), "\(complaint)")
    }
}
