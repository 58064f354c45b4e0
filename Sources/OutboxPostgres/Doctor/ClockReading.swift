/// What time a server said it was, between two instants of this machine's clock.
struct ClockReading: Sendable, Hashable {
    /// This machine's time before the question was asked, in seconds of any epoch.
    var asked: Double
    /// The server's time.
    var answer: Double
    /// This machine's time when the answer was there.
    var answered: Double

    /// By how much the server's clock is ahead, in seconds, at least: the server read its clock at some moment between the two instants,
    /// so a difference that the round trip can explain counts as none.
    var certainSkew: Double {
        if self.answer > self.answered { return self.answer - self.answered }
        if self.answer < self.asked { return self.answer - self.asked }
        return 0
    }

    /// How long the question and its answer took.
    var roundTrip: Double { self.answered - self.asked }
}
