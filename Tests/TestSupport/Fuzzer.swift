import Foundation

/// Tries a parser with inputs that are nearly right: those of a corpus, changed a little at random, again and again.
///
/// For half a second, or as long as `OUTBOX_STRESS_SECONDS` says; `OUTBOX_STRESS_SEED` repeats the inputs of a run.
package struct Fuzzer: Sendable {
    /// What came of an input.
    package enum Outcome: Sendable {
        case refused
        /// Kept, to be changed further.
        case accepted
        /// What is wrong.
        case wrong(String)
    }

    /// The input for which something was wrong, or how many were tried.
    package enum Ending: Sendable, CustomStringConvertible {
        case sound(inputs: Int, accepted: Int)
        case wrong(String, input: [UInt8], seed: UInt64)

        package var isSound: Bool {
            if case .sound(_, let accepted) = self { accepted > 0 } else { false }
        }

        package var description: String {
            switch self {
            case .sound(let inputs, let accepted): "\(inputs) inputs, \(accepted) of them accepted"
            case .wrong(let what, let input, let seed):
                "\(what): \(String(decoding: input, as: UTF8.self).debugDescription), bytes \(input), seed \(seed)"
            }
        }
    }

    private let name: String
    private let corpus: [[UInt8]]
    private let tokens: [[UInt8]]
    private let longest: Int

    /// - Parameters:
    ///   - corpus: Inputs that are right, and some that are not.
    ///   - tokens: What is put into inputs now and then.
    ///   - longest: How many bytes an input has at most.
    package init(_ name: String, corpus: [String], tokens: [String] = [], longest: Int = 400) {
        self.name = name
        self.corpus = corpus.map { Array($0.utf8) }
        self.tokens = tokens.map { Array($0.utf8) }
        self.longest = longest
    }

    /// Tries inputs on a thread of its own: none of the pool is kept for so long.
    package func run(_ check: @escaping @Sendable (ArraySlice<UInt8>) -> Outcome) async -> Ending {
        let ending = await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: self.runHere(check)) }
        }
        print("fuzzer: \(self.name): \(ending), seed \(StressSettings.seed)")
        return ending
    }

    /// The same for what reads texts.
    package func run(text check: @escaping @Sendable (String) -> Outcome) async -> Ending {
        await self.run { bytes in check(String(decoding: bytes, as: UTF8.self)) }
    }

    private func runHere(_ check: (ArraySlice<UInt8>) -> Outcome) -> Ending {
        var random = SeededGenerator(seed: StressSettings.seed)
        let deadline = ContinuousClock.now + .milliseconds(StressSettings.milliseconds(otherwise: 300))
        var corpus = self.corpus
        var inputs = 0
        var accepted = 0
        while inputs < corpus.count || ContinuousClock.now < deadline {
            var input = inputs < corpus.count ? corpus[inputs] : corpus.randomElement(using: &random) ?? []
            if inputs >= self.corpus.count {
                for _ in 0..<Int.random(in: 1...4, using: &random) { self.mutate(&input, corpus, &random) }
            }
            inputs += 1
            switch check(input[...]) {
            case .refused: break
            case .accepted:
                accepted += 1
                if corpus.count < 1000 {
                    corpus.append(input)
                } else {
                    corpus[Int.random(in: self.corpus.count..<1000, using: &random)] = input
                }
            case .wrong(let what): return .wrong(what, input: input, seed: StressSettings.seed)
            }
        }
        return .sound(inputs: inputs, accepted: accepted)
    }

    private func mutate(_ input: inout [UInt8], _ corpus: [[UInt8]], _ random: inout SeededGenerator) {
        let place = Int.random(in: 0...input.count, using: &random)
        let other = Int.random(in: 0...input.count, using: &random)
        let range = min(place, other)..<max(place, other)
        switch Int.random(in: 0..<8, using: &random) {
        case 0: if place < input.count { input[place] ^= 1 << UInt8.random(in: 0..<8, using: &random) }
        case 1: input.insert(UInt8.random(in: 0...255, using: &random), at: place)
        case 2: input.insert(UInt8.random(in: 0x20...0x7E, using: &random), at: place)
        case 3: input.removeSubrange(range.prefix(8))
        case 4: input.insert(contentsOf: input[range], at: place)
        case 5:
            let donor = corpus.randomElement(using: &random) ?? []
            input.replaceSubrange(range, with: donor[Int.random(in: 0...donor.count, using: &random)...])
        case 6: input.insert(contentsOf: self.tokens.randomElement(using: &random) ?? [0x22], at: place)
        default: if place < input.count { input[place] = UInt8.random(in: 0x30...0x39, using: &random) }
        }
        if input.count > self.longest { input.removeSubrange(self.longest...) }
    }
}
