import ArgumentParser

/// What the benchmarks' numbers may be.
enum BenchLimits {
    static func check(messages: Int) throws {
        if !(1...1_000_000_000).contains(messages) { throw ValidationError("--messages is 1 to 1000000000.") }
    }

    static func check(size: Int) throws {
        if !(8...(16 << 20)).contains(size) { throw ValidationError("--size is 8 to 16777216.") }
    }

    static func check(clients: [Int]) throws {
        if clients.isEmpty || !clients.allSatisfy((1...256).contains) {
            throw ValidationError("--clients is a number from 1 to 256, or several with commas.")
        }
    }
}

/// Several numbers with commas between them.
struct NumberList: Sendable, ExpressibleByArgument {
    let numbers: [Int]

    init(_ numbers: [Int]) {
        self.numbers = numbers
    }

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { Int($0) }
        if numbers.count != parts.count { return nil }
        self.numbers = numbers
    }

    var defaultValueDescription: String { self.numbers.map(String.init).joined(separator: ",") }
}
