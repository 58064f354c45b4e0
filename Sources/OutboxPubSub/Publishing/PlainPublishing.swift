import Outbox
import OutboxRuntime

/// How messages without headers are written where all go to one topic without an order: out of the memory that they lie in, each in one go.
final class PlainPublishing: Sendable {
    let target: PublishableMessage.Target
    /// To be used while this object is there.
    let form: Form

    /// Nil where an attribute has the id and the time.
    init?(topic: String, _ attributes: PubSubConfiguration.Attributes, largestMessage: Int) {
        if attributes.id != nil, attributes.id == attributes.enqueuedAt { return nil }
        self.target = .init(topic: topic, orderingKey: nil)
        self.form = unsafe Form(
            idName: Self.written(attributes.id), timeName: Self.written(attributes.enqueuedAt),
            hasRouteAttribute: attributes.route != nil, largestMessage: largestMessage)
    }

    deinit { self.form.deallocate() }

    /// An attribute's name as it is written each time: the key of an entry of a map.
    private static func written(_ name: String?) -> UnsafeRawBufferPointer? {
        guard let name else { return nil }
        var writer = ProtobufWriter()
        writer.string(always: 1, name)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: writer.bytes.count, alignment: 1)
        unsafe memory.copyBytes(from: writer.bytes)
        return UnsafeRawBufferPointer(memory)
    }
}

extension PlainPublishing {
    /// What all messages have in common.
    //
    // Without references: many threads write messages at the same time, and each would wait for the others where it counts one.
    // Safe to share: immutable, and the memory belongs to the object that has made it.
    @safe struct Form: @unchecked Sendable {
        fileprivate let idName: UnsafeRawBufferPointer?
        fileprivate let timeName: UnsafeRawBufferPointer?
        fileprivate let hasRouteAttribute: Bool
        fileprivate let largestMessage: Int

        fileprivate func deallocate() {
            unsafe self.idName?.deallocate()
            unsafe self.timeName?.deallocate()
        }
    }
}

extension PlainPublishing.Form {
    /// An attribute whose value is a number.
    @safe private struct Attribute {
        let name: UnsafeRawBufferPointer
        let value: UInt64
        let digits: Int
        /// How many bytes it has as an entry of a map.
        let size: Int

        init?(_ name: UnsafeRawBufferPointer?, _ value: UInt64) {
            guard let name = unsafe name else { return nil }
            unsafe self.name = name
            self.value = value
            self.digits = Decimal.count(of: value)
            self.size = name.count + ProtobufWriter.size(field: 2, length: self.digits)
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
        let id = unsafe Attribute(self.idName, UInt64(message.id))
        let time = unsafe Attribute(self.timeName, EnqueueTime.milliseconds(of: message.createdAt))
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
        unsafe place.written(attribute.name)
        unsafe place.digits(2, attribute.value, count: attribute.digits)
    }
}
