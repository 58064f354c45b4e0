import OutboxRuntime

extension JSONWriter {
    /// Prints what was written as a line on stdout.
    ///
    /// - Returns: Whether there still is a reader.
    @discardableResult
    mutating func print() -> Bool {
        self.newline()
        return Terminal.output.write(self.take())
    }
}
