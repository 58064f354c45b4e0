/// The requests of Pub/Sub that are made here, and their answers, as bytes (google/pubsub/v1/pubsub.proto,
/// google/iam/v1/iam_policy.proto).
enum PubSubRequest {
    /// `PublishRequest`: the topic, then messages that are written already, each with its tag.
    static func publish(topic: String, messages: some Sequence<[UInt8]>, size: Int) -> [UInt8] {
        var writer = ProtobufWriter(capacity: size)
        writer.string(1, topic)
        var bytes = writer.bytes
        bytes.reserveCapacity(size)
        for message in messages { bytes.append(contentsOf: message) }
        return bytes
    }

    /// `GetTopicRequest`.
    static func getTopic(_ topic: String) -> [UInt8] {
        var writer = ProtobufWriter()
        writer.string(1, topic)
        return writer.bytes
    }

    /// `TestIamPermissionsRequest`.
    static func testPermission(_ permission: String, on resource: String) -> [UInt8] {
        var writer = ProtobufWriter()
        writer.string(1, resource)
        writer.string(2, permission)
        return writer.bytes
    }

    /// How many messages a `PublishResponse` has taken; nil: it is none.
    static func publishedCount(_ answer: ArraySlice<UInt8>) -> Int? { self.texts(1, of: answer)?.count }

    /// Whether a `TestIamPermissionsResponse` has that permission.
    static func grants(_ permission: String, _ answer: ArraySlice<UInt8>) -> Bool {
        self.texts(1, of: answer)?.contains(permission) ?? false
    }

    private static func texts(_ field: Int, of message: ArraySlice<UInt8>) -> [String]? {
        var reader = ProtobufReader(message)
        var texts: [String] = []
        do throws(ProtobufReader.Malformed) {
            while let (number, value) = try reader.next() {
                guard number == field else { continue }
                guard let text = value.text else { return nil }
                texts.append(text)
            }
        } catch {
            return nil
        }
        return texts
    }
}
