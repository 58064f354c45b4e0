/// What has to be written to a terminal so that it shows other lines than before. Each line is written at its place, so that only those that
/// differ are.
enum ScreenUpdate {
    /// - Parameters:
    ///   - lines: From the first line of the screen on. None is longer than the screen is wide.
    ///   - shown: What is shown; nil: anything.
    static func text(_ lines: [String], over shown: [String]?) -> String {
        var text = shown == nil ? "\u{1B}[H\u{1B}[2J" : ""
        let before = shown ?? []
        for (index, line) in lines.enumerated() where index >= before.count || before[index] != line {
            // First erased: behind the last column there would be nothing to erase to.
            text += "\u{1B}[\(index + 1);1H\u{1B}[2K" + line
        }
        if before.count > lines.count { text += "\u{1B}[\(lines.count + 1);1H\u{1B}[J" }
        return text
    }
}
