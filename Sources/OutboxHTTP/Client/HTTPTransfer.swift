import CCurl
package import OutboxRuntime
import Synchronization

/// A request on its way.
//
// Sendable because what is not synchronised is used by the client's thread only.
package final class HTTPTransfer: MailboxJob, @unchecked Sendable {
    let request: HTTPRequest
    /// nil: it cannot be sent.
    let origin: String?
    private let completion: @Sendable (Result<HTTPResponse, HTTPFailure>) -> Void
    private let isAnswered = Atomic(false)
    private let recall = Atomic(Recall.none)

    /// How much of a transfer is taken back.
    enum Recall: UInt8, AtomicRepresentable {
        case none
        case unlessBegun
        case whole
    }

    // From here on: the client's thread only.

    /// While it is under way.
    var easy: EasyHandle?
    /// Where it is among those under way.
    var place = 0
    /// The requests to its host, from when it was taken until it is finished.
    var queue: HostQueue?
    /// Whether it has had its turn.
    var isBegun = false
    var headerLines: [UInt8] = []
    var body: [UInt8] = []
    var loop: ClientLoop?
    var longestBody = 0
    var isCut = false
    /// Whether no socket could be made.
    var isOutOfDescriptors = false
    /// Why an address was not connected to.
    var refusal: String?
    /// Whether there was another, which might have been.
    var hasTriedAddress = false

    init(_ request: HTTPRequest, _ completion: @escaping @Sendable (Result<HTTPResponse, HTTPFailure>) -> Void) {
        self.request = request
        self.origin = request.origin
        self.completion = completion
    }

    var recalled: Recall { self.recall.load(ordering: .acquiring) }

    func take(back recall: Recall) {
        var current = self.recalled
        while current.rawValue < recall.rawValue {
            let (isDone, original) = self.recall.compareExchange(
                expected: current, desired: recall, ordering: .acquiringAndReleasing)
            if isDone { return }
            current = original
        }
    }

    /// Gives the result, unless there is one; from any thread.
    func finish(_ result: Result<HTTPResponse, HTTPFailure>) {
        if !self.isAnswered.exchange(true, ordering: .acquiringAndReleasing) { self.completion(result) }
    }

    package func end(_ reason: MailboxEnd) {
        switch reason {
        case .closed: self.finish(.failure(HTTPFailure(.closed, "the transport is closed")))
        case .cancelled:
            self.finish(.failure(HTTPFailure(.cancelled, "the transport was cancelled", mayHaveArrived: true)))
        }
    }

    // MARK: What libcurl has received

    func receive(header bytes: UnsafeRawBufferPointer) {
        if unsafe bytes.first == UInt8(ascii: "H") && bytes.starts(with: "HTTP/".utf8) {
            // Another answer: the one before was for information only.
            self.headerLines.removeAll(keepingCapacity: true)
        } else if self.headerLines.count + bytes.count <= Self.longestHeaders {
            unsafe self.headerLines.append(contentsOf: bytes)
        }
    }

    /// - Returns: Whether more is wanted.
    func receive(body bytes: UnsafeRawBufferPointer) -> Bool {
        let room = self.longestBody - self.body.count
        self.isCut = bytes.count > room
        unsafe self.body.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes.prefix(room)))
        return !self.isCut
    }

    /// libcurl itself takes 300 KiB.
    private static let longestHeaders = 64 << 10
}
