import Outbox
import OutboxRuntime

/// How a message without headers is written where all go to one topic without an order: out of the memory that it lies in, in one go.
struct PlainPublishing {
    let target: PublishableMessage.Target
    /// The names of the attributes with the id and the time; nil: there is none.
    private let idName: [UInt8]?
    private let timeName: [UInt8]?
    private let hasRouteAttribute: Bool
    private let largestMessage: Int

    /// Nil where an attribute has the id and the time.
    init?(topic: String, _ attributes: PubSubConfiguration.Attributes, largestMessage: Int) {
        if attributes.id != nil, attributes.id == attributes.enqueuedAt { return nil }
        self.hasRouteAttribute = attributes.route != nil
        self.target = .init(topic: topic, orderingKey: nil)
        self.idName = attributes.id.map { Array($0.utf8) }
        self.timeName = attributes.enqueuedAt.map { Array($0.utf8) }
        self.largestMessage = largestMessage
    }

    /// An attribute whose value is a number.
    private struct Attribute {
        let name: [UInt8]
        let value: UInt64
        let digits: Int
        /// How many bytes it has as an entry of a map.
        let size: Int

        init?(_ name: [UInt8]?, _ value: UInt64) {
            guard let name else { return nil }
            self.name = name
            self.value = value
            self.digits = Decimal.count(of: value)
            self.size =
                ProtobufWriter.size(field: 1, length: name.count) + ProtobufWriter.size(field: 2, length: self.digits)
        }

        var fieldSize: Int { ProtobufWriter.size(field: 2, length: self.size) }
    }

    /// Writes a message behind those before it.
    ///
    /// - Returns: Whether it is written. What is not has headers or a route, or has to be looked at.
    func write(_ message: LentMessage, to writer: inout ProtobufWriter) -> Bool {
        let payload = unsafe message.payload
        guard !message.hasHeaders, !(message.hasRoute && self.hasRouteAttribute), message.id >= 0,
            unsafe !payload.isEmpty, payload.count <= ServiceLimits.dataBytes
        else {
            return false
        }
        let id = Attribute(self.idName, UInt64(message.id))
        let time = Attribute(self.timeName, EnqueueTime.milliseconds(of: message.createdAt))
        var size = ProtobufWriter.size(field: 1, length: payload.count)
        size += (id?.fieldSize ?? 0) + (time?.fieldSize ?? 0)
        let whole = ProtobufWriter.size(field: 2, length: size)
        if whole > self.largestMessage { return false }
        unsafe writer.fields(size: whole) { place in
            unsafe place.head(2, length: size)
            unsafe place.bytes(1, payload)
            if let id { unsafe Self.write(id, &place) }
            if let time { unsafe Self.write(time, &place) }
        }
        return true
    }

    private static func write(_ attribute: Attribute, _ place: inout ProtobufPlace) {
        unsafe place.head(2, length: attribute.size)
        unsafe attribute.name.withUnsafeBytes { unsafe place.bytes(1, $0) }
        unsafe place.digits(2, attribute.value, count: attribute.digits)
    }
}
