import Testing

@testable import OutboxCLI

/// The keys in what a terminal sends.
@Suite(.timeLimit(.minutes(10))) struct KeyDecoderTests {
    /// What a terminal sends for keys, with what cannot be mistaken for a beginning behind it.
    static let inputs: [(String, [Key])] = [
        ("q", [.character("q")]), ("\u{1B}[A", [.up]), ("\u{1B}[B", [.down]), ("\u{1B}OA", [.up]),
        ("\u{1B}OB", [.down]),
        ("\u{1B}[5~", [.pageUp]), ("\u{1B}[6~", [.pageDown]), ("\u{1B}[6;5~", [.pageDown]),
        ("\u{1B}[H", [.home]), ("\u{1B}OH", [.home]), ("\u{1B}[1~", [.home]), ("\u{1B}[7~", [.home]),
        ("\u{1B}[F", [.end]), ("\u{1B}OF", [.end]), ("\u{1B}[4~", [.end]), ("\u{1B}[8~", [.end]),
        ("\u{1B}[1;5A", [.up]), ("\r", [.enter]), ("\n", [.enter]), ("\u{7F}", [.backspace]), ("\u{08}", [.backspace]),
        ("\u{15}", [.eraseLine]), ("\u{0C}", [.redraw]), ("\u{01}", []),
        ("é", [.character("é")]), ("日", [.character("日")]), ("😀", [.character("😀")]),
        // Keys that nothing is done with: insert, delete, F1 and F5 of xterm and of the console, a report of a mouse.
        ("\u{1B}[2~", []), ("\u{1B}[3~", []), ("\u{1B}OP", []), ("\u{1B}[15~", []), ("\u{1B}[[A", []),
        ("\u{1B}[<0;10;10M", []), ("\u{1B}OM", [.enter]),
        // Alt, or Escape and a key at once.
        ("\u{1B}q", [.escape, .character("q")]), ("\u{1B}\u{1B}[A", [.escape, .up]),
        // A sequence that another one breaks off.
        ("\u{1B}[1\u{1B}[A", [.up]),
    ]

    private func keys(_ pieces: [[UInt8]]) -> [Key] {
        var decoder = KeyDecoder()
        var keys: [Key] = []
        for piece in pieces { keys += decoder.keys(piece) }
        #expect(!decoder.isUndecided)
        return keys
    }

    @Test(arguments: inputs) func aKeyIsFoundInPiecesOfAnySize(_ input: String, expected: [Key]) {
        let bytes = Array(input.utf8)
        #expect(self.keys([bytes]) == expected)
        #expect(self.keys(bytes.map { [$0] }) == expected)
        for index in bytes.indices {
            #expect(self.keys([Array(bytes[..<index]), Array(bytes[index...])]) == expected, "split at \(index)")
        }
    }

    /// In any order, and cut anywhere, keys are those that were pressed.
    @Test func keysDoNotDisturbEachOther() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<500 {
            let pressed = (0..<8).map { _ in Self.inputs.randomElement(using: &random)! }
            var bytes = pressed.flatMap { Array($0.0.utf8) }
            var pieces: [[UInt8]] = []
            while !bytes.isEmpty {
                let count = Int.random(in: 1...bytes.count, using: &random)
                pieces.append(Array(bytes.prefix(count)))
                bytes.removeFirst(count)
            }
            #expect(self.keys(pieces) == pressed.flatMap(\.1), "\(pieces)")
        }
    }

    @Test func escapeAloneIsAKeyWhenNothingFollows() {
        var decoder = KeyDecoder()
        #expect(decoder.keys([0x1B]) == [] && decoder.isUndecided)
        #expect(decoder.flush() == [.escape] && !decoder.isUndecided)
        // What has only begun is none.
        #expect(decoder.keys([0x1B, 0x5B]) == [] && decoder.flush() == [])
        #expect(decoder.keys(Array("A".utf8)) == [.character("A")])
    }

    /// Whatever comes, it ends, and a key behind it is found.
    @Test func noiseIsPassedOver() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            var decoder = KeyDecoder()
            let noise = (0..<Int.random(in: 0...80, using: &random)).map { _ in
                Bool.random(using: &random)
                    ? UInt8.random(in: 0...255, using: &random)
                    : Array("\u{1B}[O;1~A".utf8).randomElement(using: &random)!
            }
            _ = decoder.keys(noise)
            _ = decoder.flush()
            #expect(decoder.keys(Array("q".utf8)) == [.character("q")], "\(noise)")
        }
        // No sequence is endless.
        var decoder = KeyDecoder()
        _ = decoder.keys(Array("\u{1B}[".utf8) + [UInt8](repeating: UInt8(ascii: "1"), count: 100))
        #expect(!decoder.isUndecided)
    }
}
