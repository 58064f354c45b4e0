import Outbox

extension MessagePage {
    var ids: [Int64] { (0..<self.count).map { self.id(at: $0) } }

    func payload(at row: Int) -> [UInt8] {
        unsafe self.withPayload(at: row) { bytes in unsafe Array(bytes) }
    }
}

extension [any MessagePage] {
    var ids: [Int64] { self.flatMap(\.ids) }
}

extension Destination {
    static let orders: Destination = "orders"
    static let invoices: Destination = "invoices"
}

extension NewMessage {
    /// Messages for checks that do not care what is in them.
    static func numbered(_ count: Int, to destination: Destination = .orders, key: String? = nil) -> [NewMessage] {
        (0..<count).map { NewMessage(to: destination, key: key, text: "message \($0)") }
    }
}
