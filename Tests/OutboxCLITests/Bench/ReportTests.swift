import Foundation
import Testing

@testable import OutboxCLI

#if canImport(FoundationXML)
import FoundationXML
#endif

/// Results as tables, JSON and drawings.
@Suite(.timeLimit(.minutes(10))) struct ReportTests {
    private static let machine = Machine(
        processor: "A & B <1>", cores: 2, memory: 8 << 30, system: "\"Sys\"", postgres: "15.1", fsync: "on", load: 0.5,
        date: Date(timeIntervalSince1970: 0))

    private let report = BenchReport(
        machine: Self.machine,
        comparisons: [
            Comparison(
                "drain <&> \"it\"", reference: "it's C", unit: "messages/s", goal: .ratioAtLeast(0.8),
                values: [900, 1000, 1100], referenceValues: [1000, 1000, 1000]),
            Comparison(
                "rows", reference: "other", unit: "rows", goal: .none, values: [1], referenceValues: [0]),
            Comparison(
                "memory", reference: "less", unit: "MB", goal: .valueAtMost(100), values: [120], referenceValues: [60]),
        ])

    @Test func theTableSaysWhatIsMet() {
        let lines = self.report.table.lines(on: .output)
        #expect(lines.count == 4)
        #expect(lines[1].contains("1,000") && lines[1].contains("1.00 ×") && lines[1].hasSuffix("≥ 0.80 ×  met"))
        #expect(lines[1].contains("0.90 ×  1.10 ×"))
        #expect(lines[3].hasSuffix("≤ 100 MB  not met"))
    }

    @Test func jsonHasEveryValue() throws {
        let json = try JSON(String(decoding: self.report.json, as: UTF8.self))
        #expect(json["machine"]["processor"].string == "A & B <1>")
        #expect(json["machine"]["fsync"].bool == true)
        #expect(json["machine"]["date"].string == "1970-01-01T00:00:00.000000Z")
        let first = json["comparisons"][0]
        #expect(first["name"].string == "drain <&> \"it\"")
        #expect(first["met"].bool == true)
        #expect(first["wanted"].string == "≥ 0.80 ×")
        #expect(first["values"].array.map(\.int) == [900, 1000, 1100])
        #expect(json["comparisons"][1]["ratio"].isNull, "no number is not finite")
        #expect(json["comparisons"][1]["met"].isNull && json["comparisons"][1]["wanted"].isNull)
        #expect(json["comparisons"][2]["met"].bool == false)
    }

    @Test func theDrawingIsXMLAndShowsNamesAsTheyAre() throws {
        let texts = try XMLTexts(self.report.svg).texts
        #expect(texts.contains("drain <&> \"it\""))
        #expect(texts.contains("against it's C"))
        #expect(texts.contains { $0.contains("A & B <1>") })
    }

    /// As far as a text may reach, so wide is the drawing.
    @Test func nothingInTheDrawingIsCutOff() throws {
        let long = String(repeating: "a very long name ", count: 8)
        let report = BenchReport(
            machine: Self.machine,
            comparisons: [
                Comparison(
                    long, reference: long, unit: "messages in a second", goal: .ratioAtLeast(0.8),
                    values: [1_234_567_890], referenceValues: [9_876_543_210])
            ])
        let document = try XMLTexts(report.svg)
        #expect(document.elements.count { $0.name == "text" } > 5)
        for element in document.elements where element.name == "text" {
            let x = try #require(element.number("x"))
            let length = SVG.width(of: element.text, size: Int(try #require(element.number("font-size"))))
            let left: Double
            switch element.attributes["text-anchor"] {
            case "end": left = x - length
            case "middle": left = x - length / 2
            default: left = x
            }
            #expect(left >= 0 && left + length <= document.width, "\(element)")
        }
    }

    /// Further than the scale goes there is an arrow, and only there; what is no number has no bar.
    @Test(arguments: [
        (0.00014, 1), (1 / 256.0, 0), (0.9, 0), (1e9, 1), (Double.infinity, 1), (0.0, 1), (Double.nan, 0),
    ])
    func barsThatAreCutSaySo(ratio: Double, arrows: Int) throws {
        let report = BenchReport(
            machine: Self.machine,
            comparisons: [
                Comparison("rows", reference: "other", unit: "rows", goal: .none, values: [ratio], referenceValues: [1])
            ])
        let document = try XMLTexts(report.svg)
        #expect(document.elements.count { $0.name == "polygon" } == arrows)
        #expect(document.elements.count { $0.name == "rect" } == (ratio.isNaN ? 1 : 2), "the background and a bar")
    }

    /// The medians of both need not have the ratio that stands beside them.
    @Test func theRatioIsExplained() throws {
        let texts = try XMLTexts(self.report.svg).texts
        #expect(texts.contains(BenchReport.ratioNote))
        #expect(texts.contains("1.00 ×; medians 1,000 and 1,000 messages/s"))
    }

    @Test func theDrawingOfASoakIsXML() throws {
        let samples = [1.0, 2, 3].map { seconds in
            SoakSample(
                seconds: seconds, isPinned: seconds == 2, enqueued: 10, delivered: 10, throughput: 10, p50: .nan,
                p99: 2,
                memory: 1 << 20, tables: [.init(name: "a<b", bytes: 8192, indexBytes: 0, deadRows: Int(seconds))])
        }
        let report = SoakReport(machine: Self.machine, samples: samples)
        let texts = try XMLTexts(report.svg).texts
        #expect(texts.contains("a<b") && texts.contains("dead rows"))
        let lines = String(decoding: report.json, as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 3)
        let last = try JSON(String(lines[2]))
        #expect(last["p50_ms"].isNull && last["tables"][0]["dead_rows"].int == 3)
        #expect(report.table.lines(on: .output).count == 4, "before, during and after")
    }

    @Test func aDrawingEscapesEverything() {
        #expect(SVG.escaped("<a href=\"x\" b='&'>\u{1}") == "&lt;a href=&quot;x&quot; b=&#39;&amp;&#39;&gt; ")
    }

    @Test func aDrawingOfNothingIsXML() throws {
        _ = try XMLTexts(BenchReport(machine: Self.machine, comparisons: []).svg)
        _ = try XMLTexts(SoakReport(machine: Self.machine, samples: []).svg)
    }
}

/// The elements of a drawing and their texts; it has to be well-formed.
private final class XMLTexts: NSObject, XMLParserDelegate {
    struct Element {
        let name: String
        let attributes: [String: String]
        var content = ""

        var text: String { self.content.trimmingCharacters(in: .whitespacesAndNewlines) }

        func number(_ name: String) -> Double? { self.attributes[name].flatMap(Double.init) }
    }

    private(set) var elements: [Element] = []

    var texts: [String] { self.elements.map(\.text) }
    var width: Double { self.elements.first?.number("width") ?? 0 }

    init(_ document: String) throws {
        super.init()
        let parser = XMLParser(data: Data(document.utf8))
        parser.delegate = self
        #expect(parser.parse(), "\(String(describing: parser.parserError))")
    }

    func parser(
        _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String]
    ) {
        self.elements.append(Element(name: name, attributes: attributes))
    }

    func parser(_ parser: XMLParser, foundCharacters characters: String) {
        self.elements[self.elements.count - 1].content += characters
    }
}
