import Outbox
import OutboxHTTP
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The URLs of queues, looked up once.
final class QueueDirectory: Sendable {
    private let client: ServiceClient
    /// Whose queues they are; nil: of the credentials' account.
    private let account: String?
    private let hasFixedQueue: Bool
    private let urls = Mutex<[String: String]>([:])

    /// Templates with many values must not fill the memory.
    private static let mostURLs = 10_000

    init(_ client: ServiceClient, account: String?, hasFixedQueue: Bool) {
        self.client = client
        self.account = account
        self.hasFixedQueue = hasFixedQueue
    }

    /// Looks up a queue again when it is needed.
    func forget(_ name: String) { _ = self.urls.withLock { $0.removeValue(forKey: name) } }

    /// What queues are called in requests, or what is wrong with them.
    ///
    /// - Throws: `CancellationError`.
    func addresses(of targets: Set<String>) async throws -> [String: TargetAddress] {
        var addresses: [String: TargetAddress] = [:]
        var names = targets.filter { name in
            guard let url = name.contains("://") ? name : self.urls.withLock({ $0[name] }) else { return true }
            addresses[name] = .known(url)
            return false
        }
        // One first: what is wrong with the service is wrong for all, and none waits for its own time to run out.
        if let first = names.popFirst() {
            let address = await self.address(of: first)
            addresses[first] = address
            if case .unknown(let outcome) = address, case .unavailable = outcome.kind {
                for name in names { addresses[name] = address }
                names = []
            }
        }
        await withTaskGroup(of: (String, TargetAddress).self) { group in
            for name in names { group.addTask { (name, await self.address(of: name)) } }
            for await (name, address) in group {
                names.remove(name)
                addresses[name] = address
                guard case .unknown(let outcome) = address, case .unavailable = outcome.kind else { continue }
                for name in names { addresses[name] = address }
                return group.cancelAll()
            }
        }
        try Task.checkCancellation()
        return addresses
    }

    private func address(of name: String) async -> TargetAddress {
        do {
            return .known(try await self.url(of: name))
        } catch {
            return .unknown(self.outcome(of: error, name))
        }
    }

    /// The URL of a queue.
    ///
    /// - Throws: A ``ServiceFailure`` or an `HTTPFailure`; `CancellationError`.
    func url(of name: String) async throws -> String {
        if let url = self.urls.withLock({ $0[name] }) { return url }
        let question = JSONText.object(["QueueName": name, "QueueOwnerAWSAccountId": self.account])
        let body = try await self.client.call("GetQueueUrl", question)
        guard let answer = try? JSONDecoder().decode([String: String].self, from: Data(body)),
            let url = answer["QueueUrl"]
        else { throw HTTPFailure(.notHTTP, "what answers is not SQS") }
        self.urls.withLock { urls in
            if urls.count >= Self.mostURLs { urls.removeAll() }
            urls[name] = url
        }
        return url
    }

    private func outcome(of error: any Error, _ name: String) -> Outcome {
        let reason = Self.reason(error, name)
        guard let failure = error as? ServiceFailure else {
            if !(error is CancellationError) { self.client.note(.down(reason)) }
            return .unavailable(reason)
        }
        switch failure.meaning {
        case .throttled: return .postpone(after: self.client.throttle.next(), reason)
        case .forbidden where !self.hasFixedQueue: return .postpone(after: .seconds(30), reason)
        case .missing, .forbidden, .invalid, .unclear:
            // Without a code it is no answer of SQS.
            if !self.hasFixedQueue, !failure.code.isEmpty { return .retry(reason) }
            self.client.note(.down(reason))
            return .unavailable(reason)
        case .expired, .unauthorized, .unavailable:
            self.client.note(.down(reason))
            return .unavailable(reason)
        }
    }

    /// Why a queue cannot be looked up.
    static func reason(_ error: any Error, _ name: String) -> String { "SQS, queue “\(name)”: \(error)" }
}
