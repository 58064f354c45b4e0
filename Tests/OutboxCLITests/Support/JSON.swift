import Foundation
import Testing

/// A parsed JSON value, for looking into outputs.
struct JSON {
    private let value: Any

    init(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        self.value = try JSONSerialization.jsonObject(with: Data(text.utf8), options: [.fragmentsAllowed])
    }

    private init(_ value: Any) {
        self.value = value
    }

    subscript(name: String) -> JSON { JSON((self.value as? [String: Any])?[name] ?? NSNull()) }
    subscript(index: Int) -> JSON {
        let array = self.array
        return array.indices.contains(index) ? array[index] : JSON(NSNull())
    }

    var array: [JSON] { (self.value as? [Any])?.map { JSON($0) } ?? [] }
    var names: Set<String> { Set((self.value as? [String: Any] ?? [:]).keys) }
    var string: String? { self.value as? String }
    var int: Int? { (self.value as? NSNumber)?.intValue }
    var bool: Bool? { (self.value as? NSNumber)?.boolValue }
    var isNull: Bool { self.value is NSNull }
}
