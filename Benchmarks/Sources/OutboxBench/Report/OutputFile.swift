import Foundation

/// Files with results.
enum OutputFile {
    /// Writes a file as a whole; `-` is stdout.
    static func write(_ bytes: [UInt8], to path: String) throws {
        if path == "-" {
            FileHandle.standardOutput.write(Data(bytes))
            return
        }
        do {
            try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw BenchFailure("\(path): \(error.localizedDescription)")
        }
    }
}
