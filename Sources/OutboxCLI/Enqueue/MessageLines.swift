import Outbox
import Synchronization

/// The messages of an NDJSON file, one a line; empty lines are passed over. It is read once.
///
/// It ends with a ``CommandFailure`` that names the line and the field when a line is wrong.
final class MessageLines: AsyncSequence, Sendable {
    typealias Element = NewMessage

    /// No message is longer: 64 MiB of payload in base64 or with escapes.
    private static let longestLine = 512 << 20

    private let file: InputFile
    private let failed = Mutex<CommandFailure?>(nil)

    init(_ file: InputFile) {
        self.file = file
    }

    /// What was wrong with a line, when the sequence has ended for that.
    var failure: CommandFailure? { self.failed.withLock { $0 } }

    func makeAsyncIterator() -> Iterator { Iterator(self) }

    struct Iterator: AsyncIteratorProtocol {
        private let lines: MessageLines
        private var buffer: [UInt8] = []
        private var start = 0
        private var searched = 0
        private var isAtEnd = false
        private var number = 0
        private var count = 0
        private let progress = ProgressCounter()

        init(_ lines: MessageLines) {
            self.lines = lines
        }

        mutating func next() async throws -> NewMessage? {
            do {
                while var line = try await self.nextLine() {
                    self.number += 1
                    // A byte order mark, as some editors put it there.
                    if self.number == 1, line.starts(with: [0xEF, 0xBB, 0xBF]) { line = line.dropFirst(3) }
                    if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
                    let message = try self.decode(line)
                    self.count += 1
                    if self.count % 1000 == 0 { self.progress.update(self.count) }
                    return message
                }
                return nil
            } catch let failure as CommandFailure {
                self.lines.failed.withLock { $0 = failure }
                throw failure
            }
        }

        private func decode(_ line: ArraySlice<UInt8>) throws -> NewMessage {
            do throws(MessageLine.Problem) {
                return try MessageLine.decode(line)
            } catch {
                throw CommandFailure(.badInput, "line \(self.number): \(error.description); nothing was enqueued")
            }
        }

        private mutating func nextLine() async throws -> ArraySlice<UInt8>? {
            while true {
                if let end = self.buffer[self.searched...].firstIndex(of: UInt8(ascii: "\n")) {
                    defer {
                        self.start = end + 1
                        self.searched = end + 1
                    }
                    return self.buffer[self.start..<end]
                }
                self.searched = self.buffer.endIndex
                if self.isAtEnd {
                    if self.start == self.buffer.endIndex { return nil }
                    defer { self.start = self.buffer.endIndex }
                    return self.buffer[self.start...]
                }
                try await self.fill()
            }
        }

        private mutating func fill() async throws {
            let more = try await self.lines.file.read()
            if more.isEmpty { self.isAtEnd = true }
            self.buffer.removeSubrange(..<self.start)
            self.searched -= self.start
            self.start = 0
            self.buffer.append(contentsOf: more)
            if self.buffer.count > MessageLines.longestLine {
                throw CommandFailure(
                    .badInput, "line \(self.number + 1): longer than any message; nothing was enqueued")
            }
        }
    }
}

/// A progress line that copies of an iterator share.
private final class ProgressCounter: Sendable {
    private let progress = Mutex(Progress())

    func update(_ count: Int) {
        self.progress.withLock { $0.update(count, "messages") }
    }
}
