import OutboxRuntime

/// A setting of the configuration file, and of the environment: its name, what it can be, and where it is kept.
///
/// The tables of these are all that there is to know of the file: it is read by them, unknown names are found by them, and the schema for editors is
/// made of them.
struct Setting<Target>: Sendable {
    /// The name in the file: `max_attempts`.
    let name: String
    let kind: SettingKind
    /// What it is for, in a sentence, with its unit and its default.
    let help: String
    private let take: @Sendable (inout Target, String) throws(SettingDefect) -> Void

    /// The name of the variable of the environment.
    var variable: String { "OUTBOX_" + self.name.uppercased() }

    /// Takes what was written.
    func set(_ target: inout Target, to text: String) throws(SettingDefect) { try self.take(&target, text) }

    /// The same setting of a part of something.
    func lifted<Whole>(_ part: any WritableKeyPath<Whole, Target> & Sendable) -> Setting<Whole> {
        Setting<Whole>(name: self.name, kind: self.kind, help: self.help) { whole, text throws(SettingDefect) in
            try self.take(&whole[keyPath: part], text)
        }
    }
}

/// What a setting can be.
enum SettingKind: Sendable, Hashable {
    case text
    case count(ClosedRange<Int>)
    case number(atLeast: Double)
    case interval
    case flag
    /// One of some words.
    case choice([String])
    /// A span of time, or one word.
    case intervalOr(String)
    /// Where to listen.
    case address
}

/// Why a setting cannot be as it was written.
struct SettingDefect: Error, Hashable {
    /// What holds for it, as it goes on after its name: `is 1 to 1024`.
    let rule: String
}

extension Setting {
    static func text(
        _ name: String, _ help: String, _ path: any WritableKeyPath<Target, String?> & Sendable
    ) -> Setting {
        Setting(name: name, kind: .text, help: help) { target, text throws(SettingDefect) in
            if text.isEmpty { throw SettingDefect(rule: "is empty") }
            target[keyPath: path] = text
        }
    }

    static func address(
        _ name: String, _ help: String, _ path: any WritableKeyPath<Target, ListenAddress?> & Sendable
    ) -> Setting {
        Setting(name: name, kind: .address, help: help) { target, text throws(SettingDefect) in
            target[keyPath: path] = try ListenAddress(text)
        }
    }

    static func count(
        _ name: String, _ range: ClosedRange<Int>, _ help: String,
        _ path: any WritableKeyPath<Target, Int?> & Sendable
    ) -> Setting {
        Setting(name: name, kind: .count(range), help: help) { target, text throws(SettingDefect) in
            guard let count = Int(text), range.contains(count) else {
                let isOpen = range.upperBound == .max
                throw SettingDefect(
                    rule: "is a whole number, "
                        + (isOpen ? "at least \(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"))
            }
            target[keyPath: path] = count
        }
    }

    static func number(
        _ name: String, atLeast least: Double, _ help: String,
        _ path: any WritableKeyPath<Target, Double?> & Sendable
    ) -> Setting {
        Setting(name: name, kind: .number(atLeast: least), help: help) { target, text throws(SettingDefect) in
            guard let number = Double(text), number.isFinite, number >= least else {
                throw SettingDefect(rule: "is a number, at least \(least)")
            }
            target[keyPath: path] = number
        }
    }

    /// - Parameters:
    ///   - allowsZero: Whether no time at all makes sense.
    ///   - least: What it is at least.
    static func interval(
        _ name: String, allowsZero: Bool = false, atLeast least: Duration = .zero, _ help: String,
        _ path: any WritableKeyPath<Target, Duration?> & Sendable
    ) -> Setting {
        Setting(name: name, kind: .interval, help: help) { target, text throws(SettingDefect) in
            let duration = try Self.duration(text, allowsZero: allowsZero)
            if duration < least { throw SettingDefect(rule: "is at least \(least.short)") }
            target[keyPath: path] = duration
        }
    }

    static func flag(
        _ name: String, _ help: String, _ path: any WritableKeyPath<Target, Bool?> & Sendable
    ) -> Setting {
        Setting(name: name, kind: .flag, help: help) { target, text throws(SettingDefect) in
            switch text.lowercased() {
            case "true": target[keyPath: path] = true
            case "false": target[keyPath: path] = false
            default: throw SettingDefect(rule: "is true or false")
            }
        }
    }

    static func choice<Value: RawRepresentable<String> & CaseIterable & Sendable>(
        _ name: String, _ help: String, _ path: any WritableKeyPath<Target, Value?> & Sendable
    ) -> Setting {
        let words = Value.allCases.map(\.rawValue)
        return Setting(name: name, kind: .choice(words), help: help) { target, text throws(SettingDefect) in
            guard let value = Value(rawValue: text) else {
                throw SettingDefect(rule: "is \(words.joined(separator: ", "))")
            }
            target[keyPath: path] = value
        }
    }

    /// A span of time or a word, which is kept as a `nil` in something that is there.
    static func interval(
        _ name: String, or word: String, _ help: String, _ path: any WritableKeyPath<Target, Duration??> & Sendable
    ) -> Setting {
        Setting(name: name, kind: .intervalOr(word), help: help) { target, text throws(SettingDefect) in
            target[keyPath: path] = text == word ? .some(nil) : try Self.duration(text, allowsZero: false, or: word)
        }
    }

    private static func duration(
        _ text: String, allowsZero: Bool, or word: String? = nil
    ) throws(SettingDefect) -> Duration {
        let other = word.map { ", or “\($0)”" } ?? ""
        let duration: Duration
        do throws(DurationText.Defect) {
            duration = try DurationText.duration(text)
        } catch {
            switch error {
            case .notADuration: throw SettingDefect(rule: "is an interval such as 250ms, 2s, 5m, 1.5h or 7d\(other)")
            case .tooLong: throw SettingDefect(rule: "is at most \(DurationText.longest.short)\(other)")
            }
        }
        guard duration > .zero || allowsZero else { throw SettingDefect(rule: "is more than 0s\(other)") }
        return duration
    }
}
