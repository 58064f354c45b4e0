import ArgumentParser
import OutboxRuntime

/// A span of time as it is written on a command line: `250ms`, `2s`, `5m`, `1.5h`, `7d`; a bare number is seconds.
struct Interval: CustomStringConvertible, Sendable {
    let duration: Duration

    init(_ duration: Duration) {
        self.duration = duration
    }

    /// Reads what was written.
    init(parsing argument: String) throws {
        do throws(DurationText.Defect) {
            self.duration = try DurationText.duration(argument)
        } catch {
            switch error {
            case .notADuration:
                throw ValidationError("“\(argument)” is no interval such as 250ms, 2s, 5m, 1.5h or 7d")
            case .tooLong:
                throw ValidationError(
                    "“\(argument)” is too long: an interval is at most \(DurationText.longest.short)")
            }
        }
    }

    var description: String { self.duration.short }
}

extension Duration {
    /// The duration in seconds.
    var inSeconds: Double { self.seconds }
}
