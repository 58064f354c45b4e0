import Foundation
import Outbox
import OutboxRuntime
import TestSupport
import Testing

@testable import OutboxHTTP
@testable import OutboxWebhook

/// What reads texts of operators, messages and receivers, with inputs that are nearly right.
@Suite(.timeLimit(.minutes(StressSettings.minutes(atLeast: 5)))) struct FuzzingTests {
    @Test func addresses() async {
        let fuzzer = Fuzzer(
            "addresses of webhooks",
            corpus: [
                "https://me:secret@hooks.example:8443/x/{route}?customer={key}&outbox.method=put&outbox.timeout=5s",
                "http://[::1]:80/%2f?a=b", "https://{header.host}/{key|none}?outbox.hosts=*.example,a.b&x",
                "https://h?outbox.secret=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw&outbox.header.X-A=b%20c",
                "HTTPS://H/{header.a|x?y&z}",
            ],
            tokens: [
                "://", "@", "%2F", "%2e", "..", "{route}", "{", "}", "|", "?", "&", "=", ",", "[", "]", ":", "#", "é",
                "outbox.",
            ])
        let message = NewMessage(
            to: "hooks", route: "../a b?#&=%@:é", key: "..", headers: ["host": "x.example", "a": "\r\n"], payload: []
        ).read
        let ending = await fuzzer.run(text: { text in
            guard let configuration = try? WebhookConfiguration(url: text),
                let template = try? RequestTemplate(configuration)
            else { return .refused }
            guard let (request, address) = try? template.request(for: message, seconds: { 1 }) else { return .accepted }
            // Whatever the message has, the request can be sent, and goes where the configuration says.
            if let defect = request.defect { return .wrong("\(address.url): \(defect)") }
            guard request.url.hasPrefix(address.origin + "/"), request.origin == address.origin else {
                return .wrong("the origin of \(address.url) is not \(address.origin)")
            }
            let path = address.endpoint.dropFirst(address.origin.count)
            let segments = path.split(separator: "/").map { $0.lowercased().replacing("%2e", with: ".") }
            if segments.contains(".") || segments.contains("..") { return .wrong("\(address.url) leaves its path") }
            guard address.url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }) else {
                return .wrong("\(address.url) is no URL")
            }
            return .accepted
        })
        #expect(ending.isSound, "\(ending)")
    }

    @Test func answers() async {
        let fuzzer = Fuzzer(
            "Retry-After",
            corpus: [
                "120", "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
                "Wed, 31 Dec 9999 23:59:60 GMT",
            ],
            tokens: ["Mon", "Feb", "29", "00", ":", "-", ", ", " ", "GMT", "99999999999999999999"])
        let ending = await fuzzer.run(text: { text in
            let pause = RetryAfter.duration(text, date: nil, now: 1_796_000_000, longest: .seconds(3600))
            guard let pause else { return .refused }
            return pause >= .zero && pause <= .seconds(3600) ? .accepted : .wrong("\(pause)")
        })
        #expect(ending.isSound, "\(ending)")
    }

    @Test func json() async {
        let fuzzer = Fuzzer(
            "JSON",
            corpus: ["{\"a\":[1,-0.5e+7,true,null,\"\\u00e4\\n\"]}", "[[[]],{}]", " \"x\" ", "-0", "[1, 2 , 3]"],
            tokens: ["{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "true", "nul", "1e", ".", "-", "\u{1}"])
        let ending = await fuzzer.run(text: { text in
            guard JSONText.isValid(Array(text.utf8)) else { return .refused }
            // Foundation takes more than is JSON, and everything that is, but for numbers that no double can be and deep nesting.
            let isRead = (try? JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)) != nil
            let isLarge =
                text.contains(/[0-9.]{12}|[eE][+-]?[0-9]{3}/) || text.count(where: { "[{".contains($0) }) > 400
            return isRead || isLarge || text.contains("\\u")
                ? .accepted : .wrong("Foundation does not read it")
        })
        #expect(ending.isSound, "\(ending)")
    }
}
