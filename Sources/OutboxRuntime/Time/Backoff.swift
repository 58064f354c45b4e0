/// Pauses between attempts that grow with each failure: `base × factor^n`, at most `cap`, partly drawn at random.
///
/// "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
package struct Backoff: Sendable, Hashable {
    /// The longest pause after the first failure.
    package var base: Duration
    /// By what the longest pause grows with every failure.
    package var factor: Double
    /// What a pause never exceeds.
    package var cap: Duration
    /// The share of the longest pause that is drawn at random: 0 is always the longest, 0.5 draws between its half and the whole
    /// ("equal jitter"), 1 between nothing and the whole ("full jitter").
    package var jitter: Double

    package init(base: Duration, factor: Double = 2, cap: Duration, jitter: Double = 1) {
        self.base = base
        self.factor = factor
        self.cap = cap
        self.jitter = jitter
    }

    /// The pause after one more failure.
    ///
    /// - Parameters:
    ///   - earlierFailures: How many there were before it in a row; 0 gives a pause of `base` at most.
    ///   - draw: A random number from 0 to 1.
    package func pause(earlierFailures: Int, draw: Double) -> Duration {
        let cap = self.cap.seconds
        var longest = self.base.seconds
        var left = earlierFailures
        // Neither nothing nor a factor of 1 ever reaches the cap.
        while left > 0, longest > 0, longest < cap, self.factor > 1 {
            longest *= self.factor
            left -= 1
        }
        longest = min(longest, cap)
        return .seconds(longest * (1 - self.jitter) + longest * self.jitter * draw)
    }

    /// The pause after one more failure.
    package func pause(earlierFailures: Int, random: inout some RandomNumberGenerator) -> Duration {
        self.pause(earlierFailures: earlierFailures, draw: self.jitter > 0 ? .random(in: 0...1, using: &random) : 1)
    }
}
