import OutboxRuntime

/// The fields of a query or of a form (`application/x-www-form-urlencoded`, WHATWG URL, section 5).
struct FormFields: Sendable, Hashable {
    struct Field: Sendable, Hashable {
        var name: String
        var value: String
    }

    /// More than a page sends.
    private static let most = 2000

    private(set) var fields: [Field] = []

    init() {}

    /// Reads fields; nil: they are none.
    init?(parsing text: String) {
        for part in text.utf8.split(separator: UInt8(ascii: "&")) {
            if self.fields.count == Self.most { return nil }
            let equals = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
            guard let name = Self.decoded(part[..<equals]), let value = Self.decoded(part[equals...].dropFirst())
            else { return nil }
            self.fields.append(Field(name: name, value: value))
        }
    }

    /// The value of the first field of a name; nil: there is none, or it is empty, as a form sends what was not filled in.
    subscript(name: String) -> String? {
        let value = self.fields.first { $0.name == name }?.value
        return value?.isEmpty == false ? value : nil
    }

    /// The values of all fields of a name.
    func all(_ name: String) -> [String] { self.fields.filter { $0.name == name }.map(\.value) }

    /// Adds a field, where there is a value.
    mutating func add(_ name: String, _ value: String?) {
        if let value { self.fields.append(Field(name: name, value: value)) }
    }

    /// As a query.
    var text: String {
        self.fields.map { "\(FormText.encoded($0.name))=\(FormText.encoded($0.value))" }.joined(separator: "&")
    }

    private static func decoded(_ text: Substring.UTF8View) -> String? {
        var bytes: [UInt8] = []
        var rest = text[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(Self.digit), let low = rest.popFirst().flatMap(Self.digit)
                else { return nil }
                bytes.append(high << 4 | low)
            default: bytes.append(byte)
            }
        }
        // No text of the database has a zero.
        return bytes.contains(0) ? nil : String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
