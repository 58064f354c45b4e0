import ArgumentParser

/// How lines of the log are written.
enum LogFormat: String, Sendable, CaseIterable, ExpressibleByArgument {
    /// For a person: time, level, message, and what belongs to it as `name=value`, values quoted where they have to be.
    case text
    /// An object a line.
    case json
    /// Everything as `name=value`, values quoted where they have to be.
    case logfmt

}
