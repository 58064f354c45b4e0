/// A server that the tests of a serialized suite have one after the other, each with a queue, topic, bus or stream of its own.
actor SharedTestbed {
    private let kind: AWSTestbed.Kind
    private let seed: Int?
    private var started: AWSTestbed?
    private var uses = 0

    init(_ kind: AWSTestbed.Kind, seed: Int? = nil) {
        self.kind = kind
        self.seed = seed
    }

    /// The server, in reach and well, and a name that no test before has had.
    func next() async throws -> (testbed: AWSTestbed, name: String) {
        let testbed: AWSTestbed
        if let started = self.started {
            testbed = started
        } else {
            testbed = try await AWSTestbed(self.kind, seed: self.seed)
            self.started = testbed
        }
        // A test that has failed may have left it out of reach.
        try await testbed.misbehave([:])
        try await testbed.start()
        self.uses += 1
        return (testbed, "orders-\(self.uses)")
    }
}
