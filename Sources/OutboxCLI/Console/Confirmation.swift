#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// What is asked before something is done that cannot be taken back.
enum Confirmation {
    /// Asks on a terminal; elsewhere `--yes` is needed. No connection is open meanwhile: a person may think for longer than a server leaves a
    /// session in peace.
    ///
    /// - Parameters:
    ///   - question: Without the mark.
    ///   - past: What was not done if the answer is no: "dropped".
    /// - Throws: ``CommandFailure``, unless the answer is yes.
    static func ask(_ question: String, past: String) throws {
        guard isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1 else {
            throw CommandFailure(.usage, "nothing was \(past); add --yes to do it")
        }
        Terminal.error.write("\(question)? [y/N] ")
        guard ["y", "yes"].contains((readLine() ?? "").lowercased()) else {
            throw CommandFailure(.failure, "nothing was \(past)")
        }
    }
}
