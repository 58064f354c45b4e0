import Testing

@testable import OutboxCLI

/// What is in a message, as a person reads it.
@Suite(.timeLimit(.minutes(1))) struct PayloadTextTests {
    @Test func jsonStaysWhatItIs() {
        let json = #"{"a":1.50,"b":[],"c":[1,{"x":"a, [b] \" {"}],"d":{},"e":1e400,"a":"twice"}"#
        let text = PayloadText(Array(json.utf8))
        #expect(text.forms == [.json, .text, .hex])
        #expect(
            text.shown(as: .json) == """
                {
                  "a": 1.50,
                  "b": [],
                  "c": [
                    1,
                    {
                      "x": "a, [b] \\" {"
                    }
                  ],
                  "d": {},
                  "e": 1e400,
                  "a": "twice"
                }
                """)
        #expect(text.shown(as: .text) == json)
        #expect(PayloadText(Array(text.shown(as: .json).utf8)).shown(as: .json) == text.shown(as: .json))
    }

    @Test(arguments: ["{", "{}}", "nonsense", "", "{\"a\":}", "[1,]"]) func otherTextIsNoJSON(_ text: String) {
        #expect(PayloadText(Array(text.utf8)).forms == [.text, .hex])
    }

    @Test func bytesAreShownInHex() {
        let text = PayloadText([0, 0xFF, 0x41, 0x3C] + Array(repeating: 0x20, count: 13))
        #expect(text.forms == [.hex])
        let lines = text.shown(as: .hex).split(separator: "\n")
        #expect(
            lines.count == 2 && lines[0].hasPrefix("00000000  00 ff 41 3c 20") && lines[0].hasSuffix("..A<            ")
        )
        #expect(lines[1].hasPrefix("00000010  20 "))
    }

    @Test func theEndOfALongOneMayCutACharacter() {
        let payload = Array(String(repeating: "ö", count: PayloadText.most).utf8)
        #expect(PayloadText([0x61] + payload).forms == [.text, .hex])
        #expect(PayloadText([0x61] + payload).shown(as: .text).utf8.count == PayloadText.most - 1)
        // What is cut is no JSON, whatever it was.
        #expect(
            PayloadText(Array("[\(String(repeating: "1,", count: PayloadText.most))1]".utf8)).forms == [.text, .hex])
    }

    @Test func theBeginningOfALongerOneIsNoJSON() {
        #expect(PayloadText(Array("[1]".utf8), size: 3).forms == [.json, .text, .hex])
        #expect(PayloadText(Array("[1]".utf8), size: 4).forms == [.text, .hex])
        #expect(PayloadText(Array("aö".utf8).dropLast(), size: 4).shown(as: .text) == "a")
    }

    @Test func controlsDoNothing() {
        #expect(PayloadText(Array("a\u{1B}[2Jb\u{202E}c\n".utf8)).shown(as: .text) == "a\u{FFFD}[2Jb\u{FFFD}c\n")
    }
}
