import OutboxRuntime
import Testing

@testable import OutboxHTTP
@testable import OutboxWebhook

@Suite(.timeLimit(.minutes(1))) struct AnswerTests {
    private static let now: Int64 = 1_796_000_000

    @Test(arguments: [
        "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
        "sun, 06 nov 1994 08:49:37 GMT", "Sun Nov 06 08:49:37 1994",
    ])
    func theThreeFormsOfDates(_ text: String) {
        #expect(HTTPDate.seconds(text, now: Self.now) == 784_111_777)
    }

    @Test func yearsOfTwoDigitsAreNotFarAhead() {
        let (first, last) = (
            HTTPDate.seconds("Monday, 01-Jan-76 00:00:00 GMT", now: Self.now),
            HTTPDate.seconds("Monday, 01-Jan-77 00:00:00 GMT", now: Self.now)
        )
        #expect(first == 3_345_062_400 && last == 220_924_800)
    }

    @Test(arguments: [
        "", "soon", "Sun, 31 Feb 2027 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 6 Nov 1994 08:49:37 GMT", "Xyz, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Non 1994 08:49:37 GMT",
        "1994-11-06T08:49:37Z",
        "Sun, 06 Nov 1994 08:49 GMT", "Sun, 06 Nov +994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
    ])
    func whatIsNoDate(_ text: String) {
        #expect(HTTPDate.seconds(text, now: Self.now) == nil)
    }

    @Test(
        arguments: [
            ("120", nil, 120), ("0", nil, nil), ("000", nil, nil), ("99999999999999999999999", nil, 3600), ("7200", nil, 3600),
            ("-1", nil, nil), ("1.5", nil, nil),
            ("", nil, nil), ("later", nil, nil), ("+5", nil, nil),
            // Without the receiver's time, by the clock here; with it, whatever the clock here says.
            ("Sun, 29 Nov 2026 10:15:00 GMT", nil, nil), ("Tue, 30 Nov 2027 10:15:00 GMT", nil, 3600),
            ("Sun, 06 Nov 1994 08:50:07 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", 30),
            ("Sunday, 06-Nov-94 08:50:07 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", 30),
            ("Sun Nov  6 08:50:07 1994", "Sun, 06 Nov 1994 08:49:37 GMT", 30),
            ("Sun, 06 Nov 1994 08:49:00 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", nil),
            ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", nil),
        ] as [(String, String?, Int?)])
    func retryAfter(_ text: String, _ date: String?, _ seconds: Int?) {
        let duration = RetryAfter.duration(text, date: date, now: Self.now, longest: .seconds(3600))
        #expect(duration == seconds.map { .seconds($0) })
    }

    /// What a receiver asks for takes the place of the retry strategy's pause: all attempts could be over at once.
    @Test func shortPausesAreTheStrategys() {
        #expect(WebhookService.honoured(.seconds(1), attempt: 1) == .seconds(1))
        #expect(WebhookService.honoured(.seconds(1), attempt: 2) == nil)
        #expect(WebhookService.honoured(.seconds(7), attempt: 3) == .seconds(7))
        #expect(WebhookService.honoured(.seconds(7), attempt: 4) == nil)
        #expect(WebhookService.honoured(.seconds(599), attempt: 1000) == nil)
        #expect(WebhookService.honoured(.seconds(600), attempt: 1000) == .seconds(600))
    }

    private func meaning(_ status: Int, _ headers: String = "") -> AnswerMeaning {
        AnswerMeaning(
            HTTPResponse(status: status, headerLines: Array(headers.utf8), body: [], isCut: false), now: Self.now,
            longestRetryAfter: .seconds(3600))
    }

    @Test func statuses() {
        for status in [200, 201, 202, 204, 206, 299] { #expect(self.meaning(status) == .delivered) }
        for status in [
            400, 402, 406, 411, 412, 413, 414, 415, 416, 417, 418, 422, 424, 426, 428, 431, 451, 499,
        ] {
            #expect(self.meaning(status) == .refused("the receiver has answered \(AnswerMeaning.name(of: status))"))
        }
        for status in [401, 403, 404, 405, 407] {
            #expect(
                self.meaning(status) == .misconfigured("the receiver has answered \(AnswerMeaning.name(of: status))"))
        }
        for status in [408, 409, 421, 423, 425, 500, 501, 502, 503, 504, 505, 507, 511, 599, 600, 999, 100, 101] {
            #expect(
                self.meaning(status)
                    == .failed("the receiver has answered \(AnswerMeaning.name(of: status))", retryAfter: nil))
        }
        #expect(
            self.meaning(408, "Retry-After: 7\r\n")
                == .failed("the receiver has answered 408 Request Timeout", retryAfter: .seconds(7)))
        #expect(self.meaning(410) == .gone("the receiver has answered 410 Gone"))
        #expect(self.meaning(429) == .throttled("the receiver has answered 429 Too Many Requests", retryAfter: nil))
        #expect(
            self.meaning(503, "retry-after: 5\r\n")
                == .throttled("the receiver has answered 503 Service Unavailable", retryAfter: .seconds(5)))
        #expect(
            self.meaning(302, "Location: http://169.254.169.254/latest/meta-data?secret=1\r\n")
                == .misconfigured(
                    "the receiver has answered 302 Found, and redirects are not followed (to http://169.254.169.254)"))
        // What would be an order to a terminal is left out.
        #expect(
            self.meaning(302, "Location: https://a\u{1B}[2J\u{9B}1m.example\u{7F}/x\r\n")
                == .misconfigured(
                    "the receiver has answered 302 Found, and redirects are not followed (to https://a[2j1m.example)"))
        // 503 that asks for no time is a failure, which counts an attempt.
        #expect(
            self.meaning(503, "Retry-After: 0\r\n")
                == .failed("the receiver has answered 503 Service Unavailable", retryAfter: nil))
        #expect(
            self.meaning(308)
                == .misconfigured("the receiver has answered 308 Permanent Redirect, and redirects are not followed"))
    }

    @Test func failures() {
        #expect(AnswerMeaning(HTTPFailure(.refusedAddress, "r")) == .forbidden("r"))
        #expect(AnswerMeaning(HTTPFailure(.invalidRequest, "r")) == .refused("r"))
        for kind in [HTTPFailure.Kind.notResolved, .notConnected, .tls, .timedOut] {
            #expect(AnswerMeaning(HTTPFailure(kind, "r")) == .unreached("no connection: r"))
        }
        for kind in [HTTPFailure.Kind.timedOut, .connectionLost, .notHTTP] {
            #expect(
                AnswerMeaning(HTTPFailure(kind, "r", mayHaveArrived: true)) == .failed("no answer: r", retryAfter: nil))
        }
    }
}
