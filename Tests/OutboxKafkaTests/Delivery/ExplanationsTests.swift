import CRdKafka
import Testing

@testable import OutboxKafka

/// What operators are told of brokers that are out of reach.
@Suite(.timeLimit(.minutes(10))) struct ExplanationsTests {
    private let thread = "[thrd:ssl://one:9093/bootstrap]: "
    private let refused =
        "ssl://one:9093/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed"

    @Test func aConnectionThatWasClosedIsExplainedByTheLogOnly() {
        var explanations = Explanations()
        let reason = explanations.take(facility: "FAIL", line: self.thread + "ssl://one:9093/bootstrap: Disconnected")
        #expect(reason == "ssl://one:9093/bootstrap: Disconnected")
        let other = explanations.take(facility: "CONFWARN", line: "[thrd:app]: something")
        #expect(other == nil)
    }

    @Test func whatIsWrongWithACertificateIsBetterThanThatSomethingIs() {
        var explanations = Explanations()
        #expect(explanations.take(RD_KAFKA_RESP_ERR__SSL, self.refused).contains("certificate verify failed"))
        let line =
            "ssl://one:9093/bootstrap: Certificate (subject=/CN=two) verification callback failed: it has expired"
        let expected = "ssl://one:9093/bootstrap: Certificate (subject=/CN=two): it has expired"
        let first = explanations.take(facility: "SSLCERTVRFY", line: self.thread + line)
        #expect(first == expected)
        // Lines and errors come in bulk, and in any order.
        let second = explanations.take(facility: "FAIL", line: self.thread + self.refused)
        #expect(second == expected)
        #expect(explanations.take(RD_KAFKA_RESP_ERR__SSL, self.refused) == expected)
        #expect(explanations.take(RD_KAFKA_RESP_ERR__SSL, self.refused) == expected)
        #expect(explanations.take(RD_KAFKA_RESP_ERR__AUTHENTICATION, "sw").hasSuffix(": sw"))
    }

    /// The same end of a connection, as librdkafka tells it when a read finds it, and when a poll does.
    @Test(arguments: [
        "SSL handshake failed: Disconnected: connection reset by peer: connecting to a PLAINTEXT broker listener?",
        "Disconnected: connection reset by peer", "Disconnected: connection closed by peer: receive 0 after POLLIN",
    ])
    func aListenerWithoutTLSIsNamedHoweverItIsNoticed(_ words: String) {
        let explanations = Explanations()
        let reason = "ssl://one:9093/bootstrap: \(words) (after 0ms in state SSL_HANDSHAKE)"
        let told = explanations.take(RD_KAFKA_RESP_ERR__TRANSPORT, reason)
        #expect(
            told.hasSuffix(
                "SSL_HANDSHAKE): the connection ends in the handshake of TLS, as it does where a listener has none"))
        #expect(!told.contains("PLAINTEXT"))
        let later = "ssl://one:9093/1: Disconnected (after 4000ms in state UP)"
        #expect(explanations.take(RD_KAFKA_RESP_ERR__TRANSPORT, later).hasSuffix("in state UP)"))
    }

    @Test(arguments: [
        (Int32(0), Int32(1), ""), (62, 0, "it is for another host"), (10, 0, "it has expired"),
        (7, 0, "it is refused by OpenSSL, with error 7"),
    ])
    func theVerdictOfOpenSSLStands(_ verdict: Int32, _ answer: Int32, _ text: String) {
        for size in [0, 1, 6, 512] {
            var number = verdict
            var reason = [CChar](repeating: 0, count: 512)
            let answered = unsafe judgeCertificate(nil, nil, 0, &number, 0, nil, 0, &reason, size, nil)
            #expect(answered == answer && number == verdict)
            let written = String(decoding: reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            #expect(written == String(text.prefix(max(0, size - 1))))
        }
        let answered = judgeCertificate(nil, nil, 0, nil, 0, nil, 0, nil, 0, nil)
        #expect(answered == 0, "without a verdict no broker is accepted")
    }
}
