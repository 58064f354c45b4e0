import Testing

@testable import OutboxPrometheus

/// How metrics are written, and for whom.
@Suite(.timeLimit(.minutes(1))) struct ExpositionTests {
    private func text(_ families: [MetricFamily], _ format: ExpositionFormat = .text) -> String {
        String(decoding: Exposition.bytes(families, format), as: UTF8.self)
    }

    @Test func theFormatsDifferInNamesTypesAndTheEnd() {
        var info = MetricFamily("app_build_info", .info, "Version.")
        info.add(LabelSet([("version", "1")]), 1)
        let families = [
            MetricFamily("z_total", .counter, "A \"b\" \\ c\nd", 7), info,
            MetricFamily("a_seconds", .gauge, "Age.", 0.25),
            MetricFamily("none", .gauge, "Nothing."),
        ]
        #expect(
            self.text(families) == """
                # HELP a_seconds Age.
                # TYPE a_seconds gauge
                a_seconds 0.25
                # HELP app_build_info Version.
                # TYPE app_build_info gauge
                app_build_info{version="1"} 1
                # HELP z_total A "b" \\\\ c\\nd
                # TYPE z_total counter
                z_total 7

                """)
        #expect(
            self.text(families, .openMetrics) == """
                # HELP a_seconds Age.
                # TYPE a_seconds gauge
                # UNIT a_seconds seconds
                a_seconds 0.25
                # HELP app_build Version.
                # TYPE app_build info
                app_build_info{version="1"} 1
                # HELP z A \\"b\\" \\\\ c\\nd
                # TYPE z counter
                z_total 7
                # EOF

                """)
    }

    @Test(
        arguments: [
            (0, "0"), (-1, "-1"), (1.5, "1.5"), (1e17, "1e+17"), (123_456_789_012, "123456789012"), (.nan, "NaN"),
            (.infinity, "+Inf"), (-.infinity, "-Inf"), (1e-7, "1e-07"),
        ] as [(Double, String)])
    func aNumberIsWrittenAsReadersKnowIt(value: Double, text: String) {
        #expect(self.text([MetricFamily("x", .gauge, "X.", value)]).hasSuffix("\nx \(text)\n"))
    }

    /// A name of a destination is what a producer chooses.
    @Test(arguments: [
        "a\"b", "a\\b", "a\nb", "a\\nb", "\\", "\"", "a\rb", "a\0b", "é", "🐘", "{x=\"1\"} 5", "# EOF", "",
        String(decoding: [0x61, 0xFF, 0xC0, 0x80], as: UTF8.self), String(repeating: "x", count: 1024),
        "a\u{2028}b", "\u{202E}abc",
    ])
    func aLabelBreaksNoLine(value: String) throws {
        var family = MetricFamily("x", .gauge, "X.")
        family.add(LabelSet([("destination", value)]), 1)
        let text = self.text([family])
        let line = try #require(text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().last)
        #expect(line.hasPrefix("x{destination=\"") && line.hasSuffix("\"} 1"))
        // It is read back as what it was.
        let written = line.dropFirst("x{destination=\"".count).dropLast("\"} 1".count)
        var read = ""
        var scalars = written.unicodeScalars.makeIterator()
        while let scalar = scalars.next() {
            if scalar == "\\" {
                switch scalars.next() {
                case "n": read.unicodeScalars.append("\n")
                case let other?: read.unicodeScalars.append(other)
                case nil: Issue.record("a backslash at the end")
                }
            } else {
                #expect(scalar != "\"")
                read.unicodeScalars.append(scalar)
            }
        }
        let expected = String(
            String.UnicodeScalarView(value.unicodeScalars.map { $0 == "\r" || $0 == "\0" ? "\u{FFFD}" : $0 }))
        #expect(read == expected)
    }

    @Test func ofTwoFamiliesWithOneNameTheFirstIsWritten() {
        let families = [
            MetricFamily("x_total", .counter, "One.", 1), MetricFamily("x_total", .gauge, "Two.", 2),
            MetricFamily("x", .gauge, "Three.", 3),
        ]
        #expect(self.text(families) == "# HELP x_total One.\n# TYPE x_total counter\nx_total 1\n")
    }

    @Test(
        arguments: [
            (nil, .text), ("*/*", .text), ("text/plain", .text), ("", .text), ("image/png", .text), (";;,,;q=", .text),
            ("application/openmetrics-text", .openMetrics),
            ("APPLICATION/OpenMetrics-Text; Version=1.0.0", .openMetrics),
            ("application/openmetrics-text;version=\"1.0.0\"", .openMetrics),
            ("application/openmetrics-text;version=2.0.0", .text),
            ("application/openmetrics-text;q=0", .text), ("application/openmetrics-text;q=0,*/*", .text),
            ("text/plain,application/openmetrics-text", .openMetrics),
            ("text/plain;q=0.9,application/openmetrics-text;q=0.8", .text),
            ("text/*,application/openmetrics-text;q=0.8", .text), ("application/*", .openMetrics),
            ("application/openmetrics-text;q=0.5,*/*;q=0.1", .openMetrics),
            ("application/openmetrics-text;q=nan,text/plain;q=0.1", .text),
            // Prometheus 2.42 and 3.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                .openMetrics
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                .openMetrics
            ),
            ("text/plain;version=0.0.4;q=1,*/*;q=0.1", .text),
        ] as [(String?, ExpositionFormat)])
    func aScraperGetsTheFormatThatItAsksFor(header: String?, format: ExpositionFormat) {
        #expect(ExpositionFormat(accept: header) == format)
    }

    @Test func jsonIsPreferredWhereItIsAskedFor() {
        #expect(AcceptHeader("application/json").prefers("application/json", to: "text/plain"))
        #expect(AcceptHeader("text/plain;q=0.5, application/json").prefers("application/json", to: "text/plain"))
        #expect(!AcceptHeader("*/*").prefers("application/json", to: "text/plain"))
        #expect(!AcceptHeader("text/html,*/*;q=0.8").prefers("application/json", to: "text/plain"))
    }
}
