/// The parameters of a batch of statements, in the form in which libpq takes them.
///
/// A connection keeps one and uses it again and again, so once it has grown, binding allocates nothing.
@safe struct ParameterBuffer {
    /// Past this, the memory is given back after use.
    private static let retainedCapacity = 1 << 20
    static let maximumCount = 65_535

    private var bytes: [UInt8] = []
    private var offsets: [Int] = []
    private var lengths: [CInt] = []
    private var formats: [CInt] = []
    private var pointers: [UnsafePointer<CChar>?] = unsafe []
    private(set) var types: [UInt32] = []

    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: bytes.capacity <= Self.retainedCapacity)
        offsets.removeAll(keepingCapacity: true)
        lengths.removeAll(keepingCapacity: true)
        types.removeAll(keepingCapacity: true)
    }

    /// Appends the parameters of a statement and returns where they are.
    mutating func append(_ binds: [LibPQValue]) throws(LibPQError) -> Range<Int> {
        guard binds.count <= Self.maximumCount else {
            throw LibPQError(.invalidValue, "a statement has more than \(Self.maximumCount) parameters")
        }
        let start = offsets.count
        for bind in binds {
            types.append(bind.type)
            if case .null = bind {
                offsets.append(-1)
                lengths.append(0)
                continue
            }
            let offset = bytes.count
            try bind.encode(into: &bytes)
            guard let length = CInt(exactly: bytes.count - offset) else {
                throw LibPQError(.invalidValue, "a value is longer than the 2 GiB that the protocol allows")
            }
            offsets.append(offset)
            lengths.append(length)
        }
        return start..<offsets.count
    }

    /// Lends the arrays for libpq, to be indexed by the ranges that ``append(_:)`` returned.
    mutating func withArrays<R>(_ body: (borrowing Arrays) -> R) -> R {
        // libpq takes a null pointer for NULL, and an empty array may have no address.
        if bytes.isEmpty { bytes.append(0) }
        while formats.count < offsets.count { formats.append(1) }
        return unsafe bytes.withUnsafeBytes { bytes in
            let base = unsafe bytes.baseAddress!.assumingMemoryBound(to: CChar.self)
            unsafe pointers.removeAll(keepingCapacity: true)
            for offset in offsets {
                unsafe pointers.append(offset < 0 ? nil : base + offset)
            }
            return unsafe pointers.withUnsafeBufferPointer { pointers in
                unsafe lengths.withUnsafeBufferPointer { lengths in
                    unsafe formats.withUnsafeBufferPointer { formats in
                        unsafe types.withUnsafeBufferPointer { types in
                            unsafe body(Arrays(values: pointers, lengths: lengths, formats: formats, types: types))
                        }
                    }
                }
            }
        }
    }

    /// Valid only within the closure they were lent to.
    @unsafe struct Arrays: ~Copyable {
        let values: UnsafeBufferPointer<UnsafePointer<CChar>?>
        let lengths: UnsafeBufferPointer<CInt>
        let formats: UnsafeBufferPointer<CInt>
        let types: UnsafeBufferPointer<UInt32>

        /// Those of one statement.
        subscript(range: Range<Int>) -> Slice {
            unsafe Slice(
                count: CInt(range.count),
                values: values.baseAddress.map { unsafe $0 + range.lowerBound },
                lengths: lengths.baseAddress.map { unsafe $0 + range.lowerBound },
                formats: formats.baseAddress.map { unsafe $0 + range.lowerBound },
                types: types.baseAddress.map { unsafe $0 + range.lowerBound })
        }
    }

    @unsafe struct Slice {
        let count: CInt
        let values: UnsafePointer<UnsafePointer<CChar>?>?
        let lengths: UnsafePointer<CInt>?
        let formats: UnsafePointer<CInt>?
        let types: UnsafePointer<UInt32>?
    }
}
