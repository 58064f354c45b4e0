import Synchronization

/// The writers of stdout and of files, one for each in this process: relays that follow each other write whole lines too.
final class LineWriters: Sendable {
    private let readerGone: @Sendable () -> Void
    private let writers = Mutex<[Sink: LineWriter]>([:])

    /// - Parameter readerGone: Called when stdout has lost its reader.
    init(readerGone: @escaping @Sendable () -> Void) {
        self.readerGone = readerGone
    }

    /// The writer of `stdout` or a file.
    ///
    /// - Throws: A ``CommandFailure`` when a file cannot be opened.
    func writer(for sink: Sink) throws -> LineWriter {
        try self.writers.withLock { writers in
            if let writer = writers[sink] { return writer }
            let writer: LineWriter
            if case .file(let path) = sink {
                writer = try LineWriter(appendingTo: path)
            } else {
                writer = LineWriter(standardOutput: self.readerGone)
            }
            writers[sink] = writer
            return writer
        }
    }
}
