import Dispatch

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Reads keys from a terminal while it exists.
final class KeyReader {
    /// Used on the queue alone.
    private final class Decoding {
        var decoder = KeyDecoder()
        /// How often bytes have come.
        var count = 0
        var isOver = false
    }

    /// For how long Escape may be the beginning of another key. The rest of a sequence comes with it, or a moment later over a slow line.
    private static let patience = DispatchTimeInterval.milliseconds(50)

    private let source: any DispatchSourceRead

    /// - Parameters:
    ///   - input: A terminal that hands out characters one by one.
    ///   - receive: Called on a thread of its own with what was pressed; nil: the terminal is gone.
    init(_ input: Int32, receive: @escaping @Sendable ([Key]?) -> Void) {
        let queue = DispatchQueue(label: "outbox.keys")
        self.source = DispatchSource.makeReadSource(fileDescriptor: input, queue: queue)
        // Safe: used on the queue alone, which does one thing at a time.
        nonisolated(unsafe) let decoding = Decoding()
        self.source.setEventHandler {
            if unsafe decoding.isOver { return }
            guard let bytes = try? Descriptor(input).read(upTo: 1024), !bytes.isEmpty else {
                unsafe decoding.isOver = true
                return receive(nil)
            }
            let keys = unsafe decoding.decoder.keys(bytes)
            if !keys.isEmpty { receive(keys) }
            unsafe decoding.count += 1
            guard unsafe decoding.decoder.isUndecided else { return }
            let count = unsafe decoding.count
            queue.asyncAfter(deadline: .now() + Self.patience) {
                guard unsafe decoding.count == count else { return }
                let keys = unsafe decoding.decoder.flush()
                if !keys.isEmpty { receive(keys) }
            }
        }
        self.source.activate()
    }

    deinit { self.source.cancel() }
}
