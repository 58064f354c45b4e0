import OutboxRuntime

/// The parameters of an address, each of which is taken once. What is wrong with one is said by its name, without its value: it may be a secret.
package protocol AddressParameters {
    /// What the names begin with where they are written; nothing by default.
    static var prefix: String { get }
    /// What was given and is not taken yet, by name, without the prefix.
    var values: [String: String] { get set }
}

extension AddressParameters {
    package static var prefix: String { "" }

    /// Takes a parameter as it is written in an address.
    ///
    /// - Parameters:
    ///   - known: The names that there are.
    ///   - isPattern: Whether the name is one that is known though it is not listed.
    package mutating func add(
        _ name: String, _ value: String, known: [String], isPattern: Bool = false
    ) throws(TransportConfigurationError) {
        guard isPattern || known.contains(name) else {
            guard let (name, nearest) = Redaction.misspelling(name, of: known) else {
                let place = Self.prefix.isEmpty ? "a parameter" : "a parameter \(Self.prefix)…"
                throw TransportConfigurationError(
                    "there is \(place) that is not known; known are \(known.joined(separator: ", "))")
            }
            throw TransportConfigurationError(
                "there is no parameter “\(Self.prefix)\(name)”; did you mean “\(Self.prefix)\(nearest)”?")
        }
        guard self.values.updateValue(value, forKey: name) == nil else {
            throw TransportConfigurationError("the parameter “\(Self.prefix)\(Redaction.shown(name))” is given twice")
        }
    }

    /// The value as it is; nil: it is not given.
    package mutating func text(_ name: String) -> String? { self.values.removeValue(forKey: name) }

    /// A template.
    package mutating func template(_ name: String) throws(TransportConfigurationError) -> MessageTemplate? {
        guard let text = self.text(name) else { return nil }
        return try MessageTemplate(text, of: Self.prefix + name)
    }

    /// `true` or `false`.
    package mutating func flag(_ name: String) throws(TransportConfigurationError) -> Bool? {
        try self.choice(name, ["true": true, "false": false])
    }

    /// One of some words.
    package mutating func choice<Value>(
        _ name: String, _ choices: [String: Value]
    ) throws(TransportConfigurationError) -> Value? {
        guard let text = self.text(name) else { return nil }
        guard let value = choices[text] else {
            throw Self.defect(of: name, "is one of \(choices.keys.sorted().joined(separator: ", "))")
        }
        return value
    }

    /// A whole number.
    package mutating func number(
        _ name: String, _ range: ClosedRange<Int>
    ) throws(TransportConfigurationError) -> Int? {
        guard let text = self.text(name) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            let limits =
                range.upperBound == .max
                ? "at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
            throw Self.defect(of: name, "is a whole number, \(limits)")
        }
        return number
    }

    /// A time; a bare number is seconds.
    package mutating func duration(_ name: String) throws(TransportConfigurationError) -> Duration? {
        guard let text = self.text(name) else { return nil }
        guard let duration = try? DurationText.duration(text) else {
            throw Self.defect(of: name, "is a time such as 30s, 500ms or 2m")
        }
        return duration
    }

    /// What a parameter has to be.
    package static func defect(of name: String, _ rule: String) -> TransportConfigurationError {
        TransportConfigurationError("the parameter “\(Self.prefix)\(name)” \(rule)")
    }
}
