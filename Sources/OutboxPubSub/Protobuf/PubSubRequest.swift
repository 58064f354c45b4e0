import OutboxRuntime

/// The requests of Pub/Sub that are made here, and their answers, as bytes (google/pubsub/v1/pubsub.proto,
/// google/iam/v1/iam_policy.proto).
enum PubSubRequest {
    /// A call's body with a `PublishRequest`: the topic, then messages that are written already, each with its tag.
    ///
    /// - Parameter places: Where the messages are in what is written.
    static func publish(topic: String, _ written: [UInt8], at places: [Range<Int>]) -> [UInt8] {
        let size = places.reduce(ProtobufWriter.size(field: 1, length: topic.utf8.count)) { $0 + $1.count }
        var writer = ProtobufWriter(GRPCMethod.prefix(size), capacity: GRPCMethod.prefixSize + size)
        writer.string(1, topic)
        // What stands side by side is copied at once.
        var run = 0..<0
        for place in places {
            if place.lowerBound == run.upperBound {
                run = run.lowerBound..<place.upperBound
            } else {
                writer.written(written[run])
                run = place
            }
        }
        writer.written(written[run])
        return writer.bytes
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
    static func publishedCount(_ answer: ArraySlice<UInt8>) -> Int? {
        self.plainCount(answer) ?? self.readCount(answer)
    }

    /// The same for an answer of nothing but short ids in ASCII, as the service writes them; nil: it has something else.
    static func plainCount(_ answer: ArraySlice<UInt8>) -> Int? {
        unsafe answer.withUnsafeBytes { bytes in
            // With that, no number in it has more than one byte.
            guard unsafe ASCII.isAll(bytes) else { return nil }
            var (place, count) = (0, 0)
            while place < bytes.count {
                guard place + 1 < bytes.count, unsafe bytes[place] == 1 << 3 | 2 else { return nil }
                unsafe place += 2 + Int(bytes[place + 1])
                count += 1
            }
            return place == bytes.count ? count : nil
        }
    }

    /// The same for any.
    static func readCount(_ answer: ArraySlice<UInt8>) -> Int? {
        var reader = ProtobufReader(answer)
        var count = 0
        do throws(ProtobufReader.Malformed) {
            while let (number, value) = try reader.next() {
                guard number == 1 else { continue }
                guard value.isText else { return nil }
                count += 1
            }
        } catch {
            return nil
        }
        return count
    }

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
