extension JSONWriter {
    /// Prints what was written as a line on stdout.
    ///
    /// - Returns: Whether somebody is still there to read it.
    @discardableResult
    mutating func print() -> Bool {
        self.newline()
        return Terminal.output.write(self.take())
    }
}
