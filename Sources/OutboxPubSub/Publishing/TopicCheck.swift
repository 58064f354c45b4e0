import Outbox
import OutboxHTTP

/// Asks the service whether messages can be published, without publishing one.
struct TopicCheck {
    private let publisher: Publisher
    /// nil: messages name it.
    private let topic: String?

    private static let permission = "pubsub.topics.publish"
    /// A topic that need not be there: an answer says that the service is reached.
    private static let anyTopic = "outbox-contact"

    init(_ publisher: Publisher, _ configuration: PubSubConfiguration) {
        self.publisher = publisher
        self.topic = configuration.topic.constant
    }

    func callAsFunction() async -> TransportHealth {
        let health = await self.health()
        if !Task.isCancelled { self.publisher.note(health) }
        return self.publisher.health == .closed ? .closed : health
    }

    private func health() async -> TransportHealth {
        let access: Access
        do throws(TokenFailure) {
            access = try await self.publisher.access()
        } catch {
            return .down(error.description)
        }
        let name = self.publisher.fullName(of: self.topic ?? Self.anyTopic)
        let answer = await self.answer(
            to: self.publisher.call(
                "/google.pubsub.v1.Publisher/GetTopic", "topic", name, PubSubRequest.getTopic(name), access: access))
        switch answer {
        case .failure(let failure): return .down(failure.reason)
        case .success(.message): return .up
        case .success(.notGRPC(let status)): return .down(status.text)
        case .success(.failed(let status)): return await self.health(of: status, name, access)
        }
    }

    private func health(of status: GRPCStatus, _ name: String, _ access: Access) async -> TransportHealth {
        switch status.code {
        case .notFound where self.topic == nil: return .up
        // Who may publish needs no permission to look at the topic.
        case .permissionDenied:
            if self.topic == nil { return .up }
            return await self.mayPublish(to: name, access) == false
                ? .down("the topic \(name): \(status.text); the permission \(Self.permission) is missing") : .up
        case .notFound: return .down("the topic \(name): \(status.text)")
        case .unauthenticated:
            // The next delivery is not to find out once more.
            _ = self.publisher.outcome(of: .unauthenticated(status.text), topic: name, access: access)
            return .down(status.text)
        default: return .down(status.text)
        }
    }

    /// - Returns: nil: the service does not say.
    private func mayPublish(to name: String, _ access: Access) async -> Bool? {
        let answer = await self.answer(
            to: self.publisher.call(
                "/google.iam.v1.IAMPolicy/TestIamPermissions", "resource", name,
                PubSubRequest.testPermission(Self.permission, on: name), access: access))
        guard case .success(.message(let message)) = answer else { return nil }
        return PubSubRequest.grants(Self.permission, message)
    }

    private func answer(to request: HTTPRequest) async -> Result<GRPCAnswer, HTTPFailure> {
        do {
            return .success(GRPCAnswer(try await self.publisher.client.send(request)))
        } catch let failure as HTTPFailure {
            return .failure(failure)
        } catch {
            return .failure(HTTPFailure(.cancelled, "the task was cancelled"))
        }
    }
}
