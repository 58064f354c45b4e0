import OutboxRuntime
import Testing

@Suite(.timeLimit(.minutes(1))) struct FowlerNollVoTests {
    /// From the list of test vectors of its authors.
    @Test(arguments: [
        ("", 0xcbf2_9ce4_8422_2325 as UInt64), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8),
    ])
    func hashes(text: String, hash: UInt64) {
        #expect(FowlerNollVo.hash(text.utf8) == hash)
    }
}
