extension Duration {
    /// The duration in seconds.
    @inlinable package var seconds: Double {
        Double(self.components.seconds) + Double(self.components.attoseconds) * 1e-18
    }
}
