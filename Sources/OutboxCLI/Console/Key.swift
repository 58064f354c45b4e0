/// A key that is pressed on a terminal.
enum Key: Hashable, Sendable {
    /// One that stands for a character.
    case character(Character)
    case up
    case down
    case pageUp
    case pageDown
    case home
    case end
    case enter
    case escape
    case backspace
    /// Ctrl-U: erase what was typed.
    case eraseLine
    /// Ctrl-L: draw again.
    case redraw
}
