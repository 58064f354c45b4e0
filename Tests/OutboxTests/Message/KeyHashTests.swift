import Outbox
import Testing

@Suite(.timeLimit(.minutes(1))) struct KeyHashTests {
    private func hash(_ bytes: [UInt8], offset: Int = 0) -> UInt64 {
        unsafe (Array(repeating: 7, count: offset) + bytes).withUnsafeBytes { memory in
            unsafe KeyHash.of(UnsafeRawBufferPointer(rebasing: memory[offset...]))
        }
    }

    /// Of each length, the bytes alone decide, wherever they lie.
    @Test func theSameBytesHaveTheSameHash() {
        for count in 0...100 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255) }
            let expected = self.hash(bytes)
            for offset in 1...9 { #expect(self.hash(bytes, offset: offset) == expected) }
        }
        #expect(KeyHash.of("é can’t 🙂") == self.hash(Array("é can’t 🙂".utf8)))
    }

    /// Each byte of each length counts, and the length where all bytes are the same.
    @Test func otherBytesHaveAnother() {
        var seen: Set<UInt64> = []
        var count = 0
        for length in 0...100 {
            var bytes = [UInt8](repeating: 0, count: length)
            seen.insert(self.hash(bytes))
            count += 1
            for place in bytes.indices {
                for bit in 0..<8 {
                    bytes[place] = 1 << bit
                    seen.insert(self.hash(bytes))
                    count += 1
                }
                bytes[place] = 0
            }
        }
        #expect(seen.count == count)
    }

    /// Keys as applications have them are spread by the upper bits as well as by the lower ones, which tables and lanes are chosen by.
    @Test func keysOfARowAreSpread() {
        let hashes = (0..<64_000).map { KeyHash.of("customer-\($0)") }
        #expect(Set(hashes).count == hashes.count)
        for shift in [0, 20, 40, 54] as [UInt64] {
            var counts = [Int](repeating: 0, count: 1024)
            for hash in hashes { counts[Int((hash >> shift) & 1023)] += 1 }
            // 62.5 each; that one of 1,024 is 7 deviations off happens once in 10^8 draws.
            #expect(counts.allSatisfy { (12...125).contains($0) }, "\(counts.min()!) to \(counts.max()!)")
        }
    }
}
