extension Duration {
    /// For `poll(2)`: rounded up, so that a thread does not spin during the last millisecond; 0 if it is negative, 12 days at most.
    package var wholeMilliseconds: CInt {
        let (seconds, attoseconds) = self.components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let milliseconds = min(seconds, 1_000_000) * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        return CInt(milliseconds)
    }
}
