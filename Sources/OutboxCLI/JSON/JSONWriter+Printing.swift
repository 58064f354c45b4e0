extension JSONWriter {
    /// Prints what was written as a line on stdout.
    mutating func print() {
        self.newline()
        _ = Descriptor(Terminal.output.descriptor).writeAll(self.take()[...])
    }
}
