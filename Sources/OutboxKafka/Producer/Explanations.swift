import CRdKafka

/// Why brokers are out of reach, from what librdkafka says in several places.
///
/// librdkafka reports errors as events. A connection that the broker closed is no error to librdkafka and stands only in its log. So
/// does the fault of a broker's certificate: the error says only that the certificate was refused.
struct Explanations: Sendable {
    /// What is wrong with the certificate that was refused last.
    private var certificate: String?

    /// - Returns: The reason for operators that a line of the log has; nil: it has none.
    mutating func take(facility: String, line: String) -> String? {
        switch facility {
        case "SSLCERTVRFY":
            self.certificate = Self.withoutThread(line).replacing(" verification callback failed", with: "")
            return self.certificate
        case "FAIL":
            return self.better(than: Self.withoutThread(line))
        default:
            return nil
        }
    }

    /// The reason for operators that an error has.
    func take(_ code: rd_kafka_resp_err_t, _ reason: String) -> String {
        self.better(than: "\(errorText(code)): \(reason)")
    }

    private func better(than reason: String) -> String {
        // OpenSSL's words.
        if let certificate, reason.contains("certificate verify failed") { return certificate }
        // librdkafka asks whether it is a listener without TLS, or does not, depending on how it notices the end of the connection.
        guard reason.contains("Disconnected"), reason.contains("in state SSL_HANDSHAKE") else { return reason }
        return reason.replacing(": connecting to a PLAINTEXT broker listener?", with: "")
            + ": the connection ends in the handshake of TLS, as it does where a listener has none"
    }

    /// A line begins with the name of its thread.
    private static func withoutThread(_ line: String) -> String {
        guard line.hasPrefix("[thrd:"), let end = line.firstRange(of: "]: ") else { return line }
        return String(line[end.upperBound...])
    }
}
