extension JSONWriter {
    /// Prints what was written as a line on stdout.
    mutating func print() {
        self.newline()
        Terminal.output.write(self.take())
    }
}
