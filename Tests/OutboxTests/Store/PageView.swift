import Outbox

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Some rows of a page, seen through a fault.
final class PageView: MessagePage {
    let page: any MessagePage
    private let rows: [Int]
    private let fault: Fault?

    init(_ page: any MessagePage, rows: [Int], fault: Fault?) {
        self.page = page
        self.rows = rows
        self.fault = fault
    }

    var stream: StreamID { self.page.stream }
    var destination: Destination { self.page.destination }
    var origin: MessageOrigin { self.page.origin }
    var isVerified: Bool { self.page.isVerified }
    var count: Int { self.rows.count }
    var byteCount: Int {
        self.rows.reduce(0) { sum, row in
            sum + (unsafe self.page.withPayload(at: row) { $0.count }) + (self.page.text(.headers, at: row)?.utf8.count ?? 0)
        }
    }

    func id(at row: Int) -> Int64 { self.page.id(at: self.rows[row]) }
    func slot(at row: Int) -> Int { self.page.slot(at: self.rows[row]) }
    func createdAt(at row: Int) -> Date { self.page.createdAt(at: self.rows[row]) }
    func attempts(at row: Int) -> Int { self.page.attempts(at: self.rows[row]) }
    func isOrdered(at row: Int) -> Bool { self.page.isOrdered(at: self.rows[row]) }
    func keyHash(at row: Int) -> UInt64? { self.page.keyHash(at: self.rows[row]) }

    func isScheduled(at row: Int) -> Bool {
        self.page.isScheduled(at: self.rows[row]) && self.fault != .ignoresSchedules
    }

    func isHeld(at row: Int) -> Bool {
        self.page.isHeld(at: self.rows[row]) && self.fault != .neverHolds
    }

    func text(_ text: MessageText, at row: Int) -> String? {
        self.fault == .losesRoutes && text == .route ? nil : self.page.text(text, at: self.rows[row])
    }

    func withPayload<Result>(at row: Int, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try unsafe self.page.withPayload(at: self.rows[row], body)
    }
}
