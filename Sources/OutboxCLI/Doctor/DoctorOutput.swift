import OutboxPostgres
import OutboxRuntime

/// How the findings of a doctor are shown.
enum DoctorOutput {
    /// Prints them for a person: a mark, the check, what was seen, and below it what to do.
    static func print(_ findings: [DoctorFinding], of schema: OutboxSchema, on terminal: Terminal = .output) {
        let width = findings.map(\.check.count).max() ?? 0
        let margin = String(repeating: " ", count: width + 4)
        for finding in findings {
            let padding = String(repeating: " ", count: width - finding.check.count + 2)
            terminal.print("\(self.mark(finding.severity, terminal)) \(finding.check)\(padding)\(finding.seen.plain())")
            if let advice = CommandAdvice.advice(for: finding, of: schema) {
                terminal.print(margin + terminal.styled("→ ", .cyan) + advice.plain())
            }
        }
        terminal.print("")
        terminal.print(self.summary(findings))
    }

    private static func mark(_ severity: DoctorFinding.Severity, _ terminal: Terminal) -> String {
        switch severity {
        case .ok: terminal.styled("✓", .green)
        case .warning: terminal.styled("!", .yellow)
        case .error: terminal.styled("✗", .red)
        }
    }

    /// What was found, in a sentence.
    static func summary(_ findings: [DoctorFinding]) -> String {
        let (errors, warnings) = (self.count(.error, findings), self.count(.warning, findings))
        if errors + warnings == 0 { return "all is well" }
        return "\(errors) \(errors == 1 ? "error" : "errors"), \(warnings) \(warnings == 1 ? "warning" : "warnings")"
    }

    private static func count(_ severity: DoctorFinding.Severity, _ findings: [DoctorFinding]) -> Int {
        findings.count { $0.severity == severity }
    }

    /// Prints them for a program.
    static func printJSON(_ findings: [DoctorFinding], of schema: OutboxSchema) {
        var json = JSONWriter()
        json.beginObject()
        json.name("findings")
        json.beginArray()
        for finding in findings {
            json.beginObject()
            json.name("check")
            json.string(finding.check)
            json.name("severity")
            json.string(finding.severity.rawValue)
            json.name("seen")
            json.string(finding.seen)
            json.name("advice")
            json.string(CommandAdvice.advice(for: finding, of: schema))
            json.endObject()
        }
        json.endArray()
        json.name("errors")
        json.integer(self.count(.error, findings))
        json.name("warnings")
        json.integer(self.count(.warning, findings))
        json.endObject()
        json.print()
    }
}
