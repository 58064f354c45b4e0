import Outbox

/// Several messages as the parameters of one statement: an array a column.
struct MessageColumns {
    private var destinations: [String?] = []
    private var routes: [String?] = []
    private var keys: [String?] = []
    private var headers = BinaryArray(element: PostgresType.jsonb, array: PostgresType.jsonbArray)
    private var deliveryTimes = BinaryArray(element: PostgresType.timestamptz, array: PostgresType.timestamptzArray)
    private var options = BinaryArray(element: PostgresType.jsonb, array: PostgresType.jsonbArray)
    private var payloads = BinaryArray(element: PostgresType.bytea, array: PostgresType.byteaArray)

    init(capacity: Int) {
        self.destinations.reserveCapacity(capacity)
        self.routes.reserveCapacity(capacity)
        self.keys.reserveCapacity(capacity)
    }

    /// Appends a message that has been checked.
    mutating func append(_ message: NewMessage) throws(InvalidMessage) {
        self.destinations.append(message.destination.name)
        self.routes.append(message.route)
        self.keys.append(message.key)
        self.headers.append(jsonb: message.headersJSON)
        self.deliveryTimes.append(try message.deliverAtMicroseconds())
        self.options.append(jsonb: message.options.json)
        self.payloads.append(message.payload)
    }

    /// The parameters of the statement enqueue_many.
    var binds: [LibPQValue] {
        [
            .textArray(self.destinations), .textArray(self.routes), .textArray(self.keys), self.headers.value,
            self.deliveryTimes.value, self.options.value, self.payloads.value,
        ]
    }
}

/// An array of one dimension in the binary format of Postgres (`array_send` in the server's `utils/adt/arrayfuncs.c`).
private struct BinaryArray {
    private let element: UInt32
    private let array: UInt32
    private var elements: [UInt8] = []
    private var count: Int32 = 0
    private var hasNull = false

    init(element: UInt32, array: UInt32) {
        self.element = element
        self.array = array
    }

    mutating func append(_ bytes: [UInt8]) {
        self.count += 1
        self.elements.append(bigEndian: Int32(bytes.count))
        self.elements.append(contentsOf: bytes)
    }

    mutating func append(_ integer: Int64?) {
        guard let integer else { return self.appendNull() }
        self.count += 1
        self.elements.append(bigEndian: Int32(8))
        self.elements.append(bigEndian: integer)
    }

    /// One byte of version, then text.
    mutating func append(jsonb text: String?) {
        guard let text else { return self.appendNull() }
        self.count += 1
        self.elements.append(bigEndian: Int32(text.utf8.count + 1))
        self.elements.append(1)
        self.elements.append(contentsOf: text.utf8)
    }

    private mutating func appendNull() {
        self.count += 1
        self.hasNull = true
        self.elements.append(bigEndian: Int32(-1))
    }

    var value: LibPQValue {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(self.elements.count + 20)
        bytes.append(bigEndian: Int32(self.count == 0 ? 0 : 1)) // dimensions
        bytes.append(bigEndian: Int32(self.hasNull ? 1 : 0))
        bytes.append(bigEndian: self.element)
        if self.count > 0 {
            bytes.append(bigEndian: self.count)
            bytes.append(bigEndian: Int32(1)) // the lower bound
            bytes.append(contentsOf: self.elements)
        }
        return .binary(type: self.array, bytes)
    }
}
