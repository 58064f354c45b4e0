/// A setting that cannot be as it is given. Which it is and what would be right is said once; each way of giving settings has its own
/// spelling of the name.
package struct InvalidSetting: Error, Sendable, Hashable, CustomStringConvertible {
    /// The setting, as Swift spells it: `window.messages`.
    package let name: String
    /// What holds for it: `is at least`.
    private let rule: String
    /// The setting with which the rule compares it, if it does, and what that one is.
    private let other: Other?

    private struct Other: Hashable {
        let name: String
        let value: Int
    }

    package init(_ name: String, _ rule: String) {
        self.name = name
        self.rule = rule
        self.other = nil
    }

    /// One that is compared with another setting.
    package init(_ name: String, _ rule: String, _ other: String, _ value: Int) {
        self.name = name
        self.rule = rule
        self.other = Other(name: other, value: value)
    }

    /// What is wrong with a span of time, which may be zero; nil: nothing is.
    ///
    /// There is a longest, because no clock can wait for one that is much longer: adding it to the time traps.
    package static func defect(of name: String, _ duration: Duration) -> InvalidSetting? {
        if duration < .zero { return InvalidSetting(name, "is not negative") }
        if duration > DurationText.longest { return InvalidSetting(name, "is at most \(DurationText.longest.short)") }
        return nil
    }

    /// The sentence, with the names as options, parameters or keys of a file spell them.
    package func text(naming name: (String) -> String) -> String {
        let other = self.other.map { " \(name($0.name)) (\($0.value))" }
        return "\(name(self.name)) \(self.rule)\(other ?? "")"
    }

    package var description: String { self.text { $0 } }
}
