import Testing

@testable import OutboxAWS

@Suite(.timeLimit(.minutes(5))) struct RequestPackerTests {
    private func items(_ sizes: [Int], target: (Int) -> Int = { _ in 0 }) -> [RequestPacker.Item] {
        sizes.enumerated().map { RequestPacker.Item(index: $0, target: target($0), byteCount: $1) }
    }

    @Test func fillsRequestsToTheirCount() {
        let packer = RequestPacker(maximumCount: 10, maximumBytes: 1000)
        #expect(packer.loads(of: self.items(Array(repeating: 1, count: 25))).map(\.indexes.count) == [10, 10, 5])
        #expect(packer.loads(of: []).isEmpty)
    }

    @Test func fillsRequestsToTheirBytes() {
        let packer = RequestPacker(maximumCount: 10, maximumBytes: 100)
        let loads = packer.loads(of: self.items([60, 40, 1, 99, 1]))
        #expect(loads.map(\.indexes) == [[0, 1], [2, 3], [4]])
        #expect(loads.map(\.byteCount) == [100, 100, 1])
    }

    @Test func whatIsTooLargeForAnyGoesAlone() {
        let loads = RequestPacker(maximumCount: 10, maximumBytes: 100).loads(of: self.items([1, 101, 1]))
        #expect(loads.map(\.indexes) == [[0], [1], [2]])
    }

    @Test func targetsHaveRequestsOfTheirOwn() {
        let loads = RequestPacker(maximumCount: 2, maximumBytes: 100)
            .loads(of: self.items([1, 1, 1, 1, 1]) { $0 % 2 })
        #expect(loads.map(\.target) == [0, 1, 0])
        #expect(loads.map(\.indexes) == [[0, 2], [1, 3], [4]])
    }

    @Test func everythingIsPackedOnceAndWithinTheLimits() {
        for _ in 0..<200 {
            let packer = RequestPacker(maximumCount: .random(in: 1...10), maximumBytes: .random(in: 50...500))
            let items = self.items((0..<Int.random(in: 0...60)).map { _ in .random(in: 0...50) }) { $0 % 3 }
            let loads = packer.loads(of: items)
            #expect(loads.flatMap(\.indexes).sorted() == Array(items.indices))
            for load in loads {
                #expect(load.indexes.count <= packer.maximumCount && load.byteCount <= packer.maximumBytes)
                #expect(load.byteCount == load.indexes.reduce(0) { $0 + items[$1].byteCount })
                #expect(
                    load.indexes == load.indexes.sorted() && load.indexes.allSatisfy { items[$0].target == load.target }
                )
            }
        }
    }
}

extension RequestPackerTests {
    /// Targets in any order, beside the plain way to do it.
    @Test func aMessageGoesIntoTheLastRequestOfItsTarget() {
        var random = SystemRandomNumberGenerator()
        let packer = RequestPacker(maximumCount: 3, maximumBytes: 20)
        for _ in 0..<200 {
            let items = (0..<30).map { index in
                RequestPacker.Item(
                    index: index, target: Int.random(in: 0..<3, using: &random),
                    byteCount: Int.random(in: 1...12, using: &random))
            }
            var expected: [RequestPacker.Load] = []
            for item in items {
                if let last = expected.lastIndex(where: { $0.target == item.target }), expected[last].indexes.count < 3,
                    expected[last].byteCount + item.byteCount <= 20
                {
                    expected[last].indexes.append(item.index)
                    expected[last].byteCount += item.byteCount
                } else {
                    expected.append(.init(target: item.target, indexes: [item.index], byteCount: item.byteCount))
                }
            }
            #expect(packer.loads(of: items) == expected)
        }
    }
}
