import Logging
import Outbox
import OutboxHTTP
import OutboxRuntime
import Synchronization

/// What the transports to AWS share: an HTTP client, credentials, the service's time, and what is known of the service.
final class ServiceClient: Sendable {
    let service: AWSService
    let region: String
    let throttle = ThrottlePause()
    let clock: ServiceClock
    let logger: Logger
    private let endpoint: ServiceEndpoint
    private let timeout: Duration
    private let signer: RequestSigner
    private let http: HTTPClient
    private let credentials: CredentialKeeper
    private let status = Mutex(TransportHealth.starting)

    init(
        _ service: AWSService, _ configuration: AWSConfiguration, _ logger: Logger,
        surroundings: Surroundings = .process, clock: ServiceClock = ServiceClock()
    ) throws(TransportConfigurationError) {
        self.service = service
        self.logger = logger
        self.clock = clock
        let settings = try configuration.resolved(for: service, surroundings)
        self.region = settings.region
        self.endpoint = settings.endpoint
        self.signer = RequestSigner(service: service.name, region: settings.region)
        self.http = try HTTPClient(settings.http)
        let fetcher = CredentialFetcher(
            source: configuration.credentials, profileName: configuration.profile, region: settings.region,
            surroundings: surroundings, http: settings.sts)
        self.timeout = configuration.connection.timeout
        self.credentials = CredentialKeeper(logger, now: { clock.time }) { try await fetcher.fetch() }
    }

    // MARK: Life

    func run() async throws(TransportConfigurationError) {
        let result = await withTaskGroup(of: Result<Void, MailboxError>?.self) { group in
            group.addTask {
                do throws(MailboxError) {
                    return .success(try await self.http.run())
                } catch {
                    return .failure(error)
                }
            }
            group.addTask {
                await self.credentials.run()
                return nil
            }
            defer { group.cancelAll() }
            while let result = await group.next() {
                if let result { return result }
            }
            return .success(())
        }
        if case .failure(.runsOnce) = result {
            // The first run goes on.
        } else {
            self.status.withLock { $0 = .closed }
            self.credentials.close()
        }
        if case .failure(let error) = result { throw TransportConfigurationError("\(self.service.title): \(error)") }
    }

    func close() async {
        self.credentials.close()
        await self.http.close()
        self.status.withLock { $0 = .closed }
    }

    // MARK: What is known

    var health: TransportHealth { self.status.withLock { $0 } }

    func note(_ health: TransportHealth) {
        self.status.withLock { status in
            if status != .closed { status = health }
        }
    }

    /// Waits until there are credentials, and the service has answered or is out of reach.
    func contact() async -> TransportHealth {
        await self.credentials.first()
        let health = self.health
        if health.isUp || health == .closed { return health }
        if self.credentials.current == nil { return .down(self.credentials.problem ?? "no credentials") }
        do {
            // Any answer will do: what a message is told is for the message.
            _ = try await self.http.send(HTTPRequest("GET", self.endpoint.url))
            return .up
        } catch {
            return .down("\(self.service.title): \(error)")
        }
    }

    /// Tries something that sends no message.
    func check(_ what: String, _ body: () async throws -> Void) async -> TransportHealth {
        await self.credentials.first()
        if self.credentials.current == nil { return .down(self.lack) }
        do {
            try await body()
            return .up
        } catch {
            return .down("\(self.service.title), \(what): \(error)")
        }
    }

    // MARK: Requests

    /// A signed request for an operation; nil: there are no credentials.
    func request(_ operation: String, _ body: [UInt8]) -> HTTPRequest? {
        guard let credentials = self.credentials.current else { return nil }
        var headers = [HTTPHeader("content-type", self.service.contentType)]
        if !self.service.target.isEmpty {
            headers.append(HTTPHeader("x-amz-target", "\(self.service.target).\(operation)"))
        }
        let request = HTTPRequest(
            "POST", self.endpoint.url, headers: headers, body: body,
            timeout: Self.timeout(self.timeout, byteCount: body.count))
        return self.signer.signed(request, with: credentials, at: self.clock.time)
    }

    /// How long a request may take: the time for an answer, and a second for each 128 KiB that have to get there before.
    static func timeout(_ timeout: Duration, byteCount: Int) -> Duration { timeout + .seconds(byteCount / 131_072) }

    /// Why no request can be signed.
    var lack: String { self.credentials.problem ?? "no credentials" }

    /// Waits until it is known whether there are credentials.
    func ready() async { await self.credentials.first() }

    /// What a service's refusal means for this client: credentials are fetched, the time is corrected.
    ///
    /// - Returns: Whether the request may be sent again at once.
    func learn(from failure: ServiceFailure, of request: HTTPRequest) -> Bool {
        if failure.isAboutTime, let date = failure.date,
            let signedAt = request.headers.first(where: { $0.name == "x-amz-date" }).flatMap({
                UTCTime(basic: $0.value)
            })
        {
            switch self.clock.correct(to: date, signedAt: signedAt) {
            case .none: break
            case .made: return true
            case .new(let offset):
                self.logger.warning(
                    "This machine’s clock is off: requests are signed with the service’s time",
                    metadata: [LogKey.offset: "\(offset)"])
                return true
            }
        }
        if failure.meaning == .expired || failure.meaning == .unauthorized,
            let credentials = self.credentials.current, RequestSigner.isSigned(request, with: credentials)
        {
            // What replaced those of the request was not refused.
            self.credentials.refuse()
        }
        return false
    }

    /// Calls an operation that is about no message.
    ///
    /// - Throws: A ``ServiceFailure`` or an `HTTPFailure`; `CancellationError`.
    func call(_ operation: String, _ body: [UInt8]) async throws -> [UInt8] {
        var isRepeated = false
        while true {
            guard let request = self.request(operation, body) else {
                throw HTTPFailure(.notConnected, self.lack)
            }
            let response = try await self.http.send(request)
            if response.status == 200 { return response.body }
            let failure = ServiceFailure(response)
            guard self.learn(from: failure, of: request), !isRepeated else { throw failure }
            isRepeated = true
        }
    }

    /// Sends requests for a batch.
    func deliver(
        _ batch: LentBatch, keyOrder: BatchSchedule.KeyOrder, by service: some RequestService
    ) async throws -> [Outcome] {
        try await self.http.deliver(batch, keyOrder: keyOrder, by: service)
    }
}
