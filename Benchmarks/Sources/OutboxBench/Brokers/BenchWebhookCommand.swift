import ArgumentParser
import BenchmarkReferences
import Outbox
import OutboxWebhook

/// `outbox-bench webhook`: the transport to webhooks.
struct BenchWebhookCommand: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "webhook",
        abstract: "To a webhook, beside two programs in C with libcurl; and all the way from Postgres.",
        discussion: """
            The receiver is a server of HTTP/1.1 in this process that answers 200 to everything. One program in C signs each message as the \
            transport does; the other signs nothing.

            EXAMPLES:
              outbox-bench webhook
              outbox-bench webhook --messages 200000 --connections 256
            """)

    @OptionGroup
    var options: BenchOptions

    @OptionGroup
    var load: BrokerLoadOptions

    @OptionGroup
    var http: HTTPOptions

    func measure(_ harness: Harness) async throws -> [Comparison] {
        let service = try HTTPService(REFERENCE_HTTP_WEBHOOK, batch: 1, self.http)
        return try await self.load.benchmark(Receiver(service: service, connections: self.http.connections)).measure(
            harness)
    }

    private struct Receiver: HTTPBenchBroker {
        let service: HTTPService
        let connections: Int

        var name: String { self.service.named("a webhook") }

        func transport(window: Int) throws -> any Transport {
            var configuration = WebhookConfiguration(
                address: self.service.url + "/{route|orders}", allowedAddresses: ["127.0.0.1"])
            configuration.limits.requestsPerHost = self.connections
            configuration.signing.keys = [try WebhookKey("whsec_bm90IGEgc2VjcmV0IG9mIGFueWJvZHkgaGVyZQ==")]
            return try WebhookTransport(configuration, logger: .quiet)
        }
    }
}
