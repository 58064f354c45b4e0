import CRdKafka
import Outbox
import OutboxRuntime

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Owns an `rd_kafka_conf_t` until a client is made of it.
@safe struct ClientConfiguration: ~Copyable {
    private let pointer: OpaquePointer

    /// - Throws: A `TransportConfigurationError` for names that librdkafka does not know and values that it does not take.
    init(_ properties: ProducerProperties) throws(TransportConfigurationError) {
        unsafe self.pointer = unsafe rd_kafka_conf_new()
        for (name, value) in properties.values { try self.set(name, to: value) }
        unsafe rd_kafka_conf_set_events(
            self.pointer, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_STATS | RD_KAFKA_EVENT_LOG)
        // Without TLS in it, librdkafka takes none, and needs none.
        _ = unsafe rd_kafka_conf_set_ssl_cert_verify_cb(self.pointer, judgeCertificate)
    }

    deinit { unsafe rd_kafka_conf_destroy(self.pointer) }

    func set(_ name: String, to value: String) throws(TransportConfigurationError) {
        var reason = [CChar](repeating: 0, count: 512)
        switch unsafe rd_kafka_conf_set(self.pointer, name, value, &reason, reason.count) {
        case RD_KAFKA_CONF_OK:
            break
        case RD_KAFKA_CONF_UNKNOWN:
            guard let (name, nearest) = Redaction.misspelling(name, of: Self.knownNames + KafkaConfiguration.parameters)
            else {
                throw TransportConfigurationError(
                    "librdkafka does not know one of the properties; see its CONFIGURATION.md, and in a password write ? as %3F, & as %26"
                )
            }
            throw TransportConfigurationError(
                "there is neither a parameter nor a property of librdkafka “\(name)”; did you mean “\(nearest)”?")
        default:
            // Its reasons quote the value.
            let isShown = !ProducerProperties.isSecret(name) && Redaction.isWhole(value)
            let detail = isShown ? ": \(Self.text(reason))" : ""
            throw TransportConfigurationError("“\(name)” has a value that librdkafka does not take\(detail)")
        }
    }

    /// Makes the client, to which the configuration passes.
    consuming func makeProducer() throws(TransportConfigurationError) -> OpaquePointer {
        var reason = [CChar](repeating: 0, count: 512)
        guard let client = unsafe rd_kafka_new(RD_KAFKA_PRODUCER, self.pointer, &reason, reason.count) else {
            _ = consume self
            throw TransportConfigurationError("librdkafka: \(Self.text(reason))")
        }
        discard self
        return unsafe client
    }

    private static func text(_ buffer: [CChar]) -> String {
        String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Every property that there is, as librdkafka lists them: a table with the names in the first column.
    private static var knownNames: [String] {
        var text: UnsafeMutablePointer<CChar>?
        var length = 0
        guard let file = unsafe open_memstream(&text, &length) else { return [] }
        unsafe rd_kafka_conf_properties_show(file)
        unsafe fclose(file)
        defer { unsafe free(text) }
        guard let text = unsafe text else { return [] }
        return unsafe String(cString: text).split(separator: "\n").compactMap { line in
            let name = line.prefix { $0 != "|" }
            guard line.contains("|"), !name.isEmpty else { return nil }
            let trimmed = String(name.filter { $0 != " " })
            return trimmed.isEmpty || trimmed == "Property" || trimmed.hasPrefix("-") ? nil : trimmed
        }
    }
}
