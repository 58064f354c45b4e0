import Foundation
import Outbox
import OutboxHTTP
import Testing

@testable import OutboxWebhook

@Suite(.timeLimit(.minutes(1))) struct RequestTemplateTests {
    private func request(
        _ message: NewMessage, _ change: (inout WebhookConfiguration) -> Void = { _ in }
    ) throws -> (request: HTTPRequest, headers: [String: String]) {
        var configuration = WebhookConfiguration(address: "https://hooks.example/x")
        change(&configuration)
        let request = try RequestTemplate(configuration).request(for: message.read) { 1_700_000_000 }.request
        let headers = request.headers + (request.headersOfItsTurn?() ?? [])
        #expect(Set(headers.map(\.name)).count == headers.count, "no header is there twice")
        return (request, Dictionary(headers.map { ($0.name.lowercased(), $0.value) }) { first, _ in first })
    }

    private func refusal(
        _ message: NewMessage, _ change: (inout WebhookConfiguration) -> Void = { _ in }
    ) -> String? {
        do {
            _ = try self.request(message, change)
            return nil
        } catch {
            return (error as? MessageRefusal)?.reason
        }
    }

    @Test func theLeast() throws {
        let message = NewMessage(to: "hooks", headers: ["secret": "x", "traceparent": "00-1"], text: "{}").read
        let template = try RequestTemplate(WebhookConfiguration(address: "https://hooks.example/x"))
        let request = try template.request(for: message) { 5 }.request
        #expect(request.method == "POST" && request.body == Array("{}".utf8))
        #expect(
            request.headers == [
                HTTPHeader("traceparent", "00-1"), HTTPHeader("Content-Type", "application/json"),
                HTTPHeader("Idempotency-Key", "\(message.id)"),
            ])
        #expect(
            request.headersOfItsTurn?() == [
                HTTPHeader("webhook-id", "\(message.id)"), HTTPHeader("webhook-timestamp", "5"),
            ])
    }

    @Test func everyOption() throws {
        let message = NewMessage(
            to: "hooks", key: "k", headers: ["Content-Type": "text/plain", "x-a": "1", "tenant": "t"], text: "")
        let (request, headers) = try self.request(message) { configuration in
            configuration.request = .init(
                method: .put, id: "shop-{id}", headers: ["X-Tenant": "{header.tenant}", "User-Agent": "shop"],
                messageHeaders: ["x-*"],
                messageHeaderPrefix: "M-", idempotencyHeader: "X-Id")
            configuration.credentials = .bearer("t0ken")
        }
        #expect(request.method == "PUT" && request.body.isEmpty)
        let id = try #require(headers["webhook-id"])
        #expect(id.hasPrefix("shop-") && headers["x-id"] == id)
        #expect(headers["x-tenant"] == "t" && headers["m-x-a"] == "1" && headers["content-type"] == "text/plain")
        #expect(
            headers["authorization"] == "Bearer t0ken" && headers["user-agent"] == "shop" && headers["tenant"] == nil)
        let basic = try self.request(message) { $0.credentials = .basic(user: "a", password: "b:c") }.headers
        #expect(basic["authorization"] == "Basic " + Data("a:b:c".utf8).base64EncodedString())
    }

    /// With every name asked for, those that would change the connection, the request or the sender are left out.
    @Test func reservedNamesAreNeverTakenFromAMessage() throws {
        let names = [
            "Connection", "keep-alive", "TE", "trailer", "Transfer-Encoding", "upgrade", "Content-Length",
            "content-encoding", "Expect",
            "HOST", "Date", "via", "Authorization", "Proxy-Authorization", "proxy-x", "cookie", "Webhook-Id",
            "webhook-signature", "CE-id",
            "x-forwarded-for", "Forwarded", "idempotency-key", "user-agent", "sec-x", "a b", "a:b", "ä", "",
        ]
        var headers = Dictionary(uniqueKeysWithValues: names.map { ($0, "evil") })
        headers["x-good"] = "ö\tä"
        headers["empty"] = ""
        let sent = try self.request(NewMessage(to: "hooks", headers: headers, text: "{}")) { configuration in
            configuration.request.messageHeaders = ["*"]
        }.headers
        #expect(!sent.values.contains("evil"))
        #expect(sent["x-good"] == "ö\tä" && sent["empty"] == "")
        // With a prefix they are other names, which say nothing.
        let prefixed = try self.request(
            NewMessage(to: "hooks", headers: ["Authorization": "x", "tracestate": "y"], text: "{}")
        ) {
            $0.request.messageHeaders = ["*"]
            $0.request.messageHeaderPrefix = "X-Msg-"
        }.headers
        #expect(
            prefixed["x-msg-authorization"] == "x" && prefixed["authorization"] == nil && prefixed["tracestate"] == "y")
    }

    @Test func noMessageForgesTheIdByWhichItIsKnown() throws {
        let message = NewMessage(to: "hooks", headers: ["x-dedup": "evil"], text: "{}")
        let sent = try self.request(message) {
            $0.request.messageHeaders = ["*"]
            $0.request.idempotencyHeader = "X-Dedup"
        }.headers
        #expect(sent["x-dedup"] == sent["webhook-id"])
        let prefixed = try self.request(NewMessage(to: "hooks", headers: ["dedup": "evil"], text: "{}")) {
            $0.request.messageHeaders = ["*"]
            $0.request.messageHeaderPrefix = "x-"
            $0.request.idempotencyHeader = "X-Dedup"
        }.headers
        #expect(prefixed["x-dedup"] == prefixed["webhook-id"])
    }

    @Test func whatAConfigurationSaysWins() throws {
        let sent = try self.request(NewMessage(to: "hooks", headers: ["x-tenant": "evil"], text: "{}")) {
            configuration in
            configuration.request.messageHeaders = ["*"]
            configuration.request.headers = ["X-Tenant": "good"]
        }.headers
        #expect(sent["x-tenant"] == "good")
    }

    @Test func whatCanNeverBeSent() throws {
        let broken = NewMessage(
            to: "hooks", headers: ["x-a": "a\r\nHost: evil", "content-type": "text/plain"], text: "{}")
        #expect(
            self.refusal(broken) { $0.request.messageHeaders = ["x-a"] }
                == "the header “x-a” has a line break or another control character")
        #expect(self.refusal(broken) == nil)
        #expect(
            self.refusal(broken) { $0.request.headers = ["X-B": "{header.x-a}"] }
                == "the header “X-B” has a line break or another control character")
        #expect(
            self.refusal(NewMessage(to: "hooks", headers: ["content-type": "a\nb"], text: ""))
                == "the header “content-type” has a line break or another control character")
        #expect(
            self.refusal(NewMessage(to: "hooks", payload: [1, 2, 3])) { $0.request.maximumMessageSize = 2 }
                == "the payload has 3 bytes; at most 2 are sent")
        #expect(
            self.refusal(NewMessage(to: "hooks", text: "")) { $0.request.headers = ["X": "{key}"] }
                == "no header “X”: the message has no key")
        #expect(
            self.refusal(NewMessage(to: "hooks", key: "ö", text: "")) { $0.request.id = "{key}-{id}" }
                == "the id has a space or a full stop, or is not ASCII, so it cannot be signed and sent")
    }

    // MARK: CloudEvents

    @Test func anEventInBinaryMode() throws {
        let message = NewMessage(
            to: "my shop", route: "order.placed", key: "kü \"1%",
            headers: ["ce-tenant": "t", "content-type": "text/plain"], text: "x")
        let (request, headers) = try self.request(message) {
            $0.cloudEvents = .init(dataSchema: "https://s.example/{route}")
        }
        #expect(request.body == [UInt8(ascii: "x")] && headers["content-type"] == "text/plain")
        let expected = [
            "ce-specversion": "1.0", "ce-id": headers["webhook-id"], "ce-source": "my%2520shop",
            "ce-type": "order.placed",
            "ce-subject": "k%C3%BC%20%221%25", "ce-time": "2023-11-14T22:13:20.000000Z",
            "ce-dataschema": "https://s.example/order.placed",
            "ce-tenant": "t",
        ]
        for (name, value) in expected { #expect(headers[name] == value, "\(name)") }
        #expect(headers["ce-datacontenttype"] == nil)
    }

    @Test func aMessageHasTheLastWord() throws {
        let message = NewMessage(
            to: "hooks",
            headers: ["ce-type": "a.b", "CE-Source": "/x", "ce-subject": "", "ce-time": "2026-01-31T12:00:00Z"],
            text: "{}")
        let headers = try self.request(message) { $0.cloudEvents = .init(type: "t", subject: "s") }.headers
        #expect(headers["ce-type"] == "a.b" && headers["ce-source"] == "/x" && headers["ce-subject"] == nil)
        #expect(headers["ce-time"] == "2026-01-31T12:00:00Z")
        for (name, value) in [
            ("ce-time", "now"), ("ce-a_b", "x"), ("ce-ä", "x"), ("ce-", "x"), ("ce-type", ""), ("ce-source", ""),
            ("ce-data", "x"), ("CE-Data", ""),
        ] {
            let wrong = NewMessage(to: "hooks", headers: [name: value], text: "{}")
            #expect(self.refusal(wrong) { $0.cloudEvents = .init() } != nil, "\(name)")
            #expect(self.refusal(wrong) { $0.cloudEvents = .init(mode: .structured) } != nil, "\(name)")
        }
    }

    @Test func whatAMessageHasIsNoOrderToATerminal() throws {
        let message = NewMessage(to: "hooks", headers: ["ce-\u{1B}[2J": "x"], text: "{}")
        let reason = try #require(self.refusal(message) { $0.cloudEvents = .init() })
        #expect(!reason.contains("\u{1B}"))
    }

    private func structured(_ payload: [UInt8], _ type: String) throws -> [String: Any] {
        let message = NewMessage(
            to: "hooks", route: "r", headers: ["content-type": type, "ce-x": "\"\n"], payload: payload)
        let (request, headers) = try self.request(message) { $0.cloudEvents = .init(mode: .structured, source: "/s") }
        #expect(headers["content-type"] == "application/cloudevents+json; charset=UTF-8" && headers["ce-id"] == nil)
        let event = try #require(try JSONSerialization.jsonObject(with: Data(request.body)) as? [String: Any])
        #expect(
            event["specversion"] as? String == "1.0" && event["source"] as? String == "/s"
                && event["type"] as? String == "r")
        #expect(event["id"] as? String == headers["webhook-id"] && event["datacontenttype"] as? String == type)
        #expect(event["x"] as? String == "\"\n" && event["subject"] == nil)
        return event
    }

    @Test func anEventInStructuredMode() throws {
        let json = try self.structured(Array(#" {"a": [1, "ö"]}"#.utf8), "application/problem+json; charset=utf-8")
        #expect((json["data"] as? [String: Any])?["a"] as? [AnyHashable] == [1, "ö"] && json["data_base64"] == nil)
        #expect(try self.structured(Array("zwölf\n".utf8), "text/plain")["data"] as? String == "zwölf\n")
        for (payload, type) in [
            ([0, 255], "application/octet-stream"), ([255], "text/plain"), (Array("{".utf8), "application/json"),
        ]
            as [([UInt8], String)]
        {
            let event = try self.structured(payload, type)
            #expect(event["data_base64"] as? String == Data(payload).base64EncodedString() && event["data"] == nil)
        }
        let empty = try self.structured([], "application/json")
        #expect(empty["data"] == nil && empty["data_base64"] == nil)
    }

    @Test(arguments: [
        ("{}", true), ("[]", true), (" { \"a\" : [ ] , \"b\":{\"c\":null}} ", true),
        ("[1,-0.5e+7,true,false,\"\\u00e4\\n\"]", true),
        ("1", true), ("\"\"", true), ("[[[[]]]]", true), ("", false), (" ", false), ("{", false), ("[1,]", false),
        ("{\"a\":1,}", false),
        ("01", false), ("1.", false), ("-", false), ("1e", false), ("+1", false), ("nul", false), ("[1 2]", false),
        ("{\"a\" 1}", false),
        ("{a:1}", false), ("\"\n\"", false), ("\"\\x\"", false), ("\"\\u12g4\"", false), ("[1]]", false),
        ("1 1", false), ("[}", false),
        ("{]", false), ("\"", false), ("{\"a\":}", false), ("[,1]", false), ("{\"a\":1]", false), ("\u{FEFF}{}", false),
    ])
    func whatIsJSON(_ text: String, _ isValid: Bool) {
        #expect(JSONText.isValid(Array(text.utf8)) == isValid)
        let other = try? JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
        // Foundation takes a comma at the end, and a byte order mark, which others do not.
        if !text.contains(/,[\]}]|^\u{FEFF}/) { #expect((other != nil) == isValid, "Foundation says so too") }
    }

    @Test func jsonIsRefusedByItsBytesAndNotByItsDepth() {
        #expect(!JSONText.isValid([UInt8(ascii: "\""), 0xff, UInt8(ascii: "\"")]))
        let deep =
            [UInt8](repeating: UInt8(ascii: "["), count: 100_000)
            + [UInt8](repeating: UInt8(ascii: "]"), count: 100_000)
        #expect(JSONText.isValid(deep) && !JSONText.isValid(deep.dropLast()))
    }
}
