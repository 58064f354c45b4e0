import OutboxHTTP

/// Fetches credentials from where a configuration says they are.
struct CredentialFetcher: Sendable {
    let source: AWSCredentialSource
    /// The profile of a configuration that names one.
    let profileName: String?
    let region: String
    let surroundings: Surroundings
    /// How requests that leave the machine are sent: to STS.
    let http: HTTPConfiguration

    /// The credentials as they are now.
    ///
    /// - Throws: A ``CredentialError``.
    func fetch() async throws -> AWSCredentials {
        switch self.source.kind {
        case .environment: return try self.ofEnvironment()
        case .profile(let name): return try await self.ofProfile(name ?? self.profileName)
        case .webIdentity: return try await self.ofWebIdentity()
        case .container: return try await self.ofContainer()
        case .instanceMetadata: return try await self.ofInstance()
        case .custom(let fetch): return try await fetch()
        case .standard: return try await self.ofFirst()
        }
    }

    /// A source that nothing points to is passed over; one that fails is a failure.
    private func ofFirst() async throws -> AWSCredentials {
        // A profile that is named by the configuration is meant before the environment.
        let named: [AWSCredentialSource] = self.profileName.map { [.profile($0)] } ?? []
        var reasons: [String] = []
        for source in named + [.environment, .webIdentity, .profile(), .container, .instanceMetadata] {
            do {
                return try await CredentialFetcher(
                    source: source, profileName: self.profileName, region: self.region, surroundings: self.surroundings,
                    http: self.http
                ).fetch()
            } catch let error as CredentialError where error.kind == .notConfigured || source.isLastResort {
                // Most machines have no metadata service, and are not told so by anything but silence.
                reasons.append(error.description)
            }
        }
        throw CredentialError(.notConfigured, "there are no credentials: \(reasons.joined(separator: "; "))")
    }

    private func ofEnvironment() throws(CredentialError) -> AWSCredentials {
        let (id, secret) = (self.surroundings["AWS_ACCESS_KEY_ID"], self.surroundings["AWS_SECRET_ACCESS_KEY"])
        guard id != nil || secret != nil else {
            throw CredentialError(.notConfigured, "AWS_ACCESS_KEY_ID is not set")
        }
        guard let id, let secret else {
            throw CredentialError(.invalid, "only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set")
        }
        return AWSCredentials(
            accessKeyID: id, secretAccessKey: secret, sessionToken: self.surroundings["AWS_SESSION_TOKEN"])
    }

    private func ofProfile(_ name: String?) async throws -> AWSCredentials {
        let profile = SharedProfile(name, self.surroundings)
        if let problem = profile.problem { throw CredentialError(.invalid, problem) }
        let isNamed = name != nil || self.surroundings["AWS_PROFILE"] != nil
        guard profile.isPresent else {
            throw CredentialError(isNamed ? .invalid : .notConfigured, "there is no profile “\(profile.name)”")
        }
        // A profile with a role or a session means that one: its keys are others' credentials, of another account perhaps.
        if let role = profile["role_arn"], let file = profile["web_identity_token_file"] {
            return try await self.assume(role, tokenFile: file, session: profile["role_session_name"])
        }
        if let key = profile.foreignSource {
            throw CredentialError(
                .invalid,
                "the profile “\(profile.name)” uses \(key), which is not known here: give credentials by a closure")
        }
        if let credentials = try profile.credentials() { return credentials }
        if profile["credential_process"] != nil {
            throw CredentialError(
                .invalid,
                "the profile “\(profile.name)” uses credential_process, which is not known here: give credentials by a closure"
            )
        }
        throw CredentialError(isNamed ? .invalid : .notConfigured, "the profile “\(profile.name)” has no credentials")
    }

    // MARK: Requests

    /// Sends a request with a client of its own, and returns the body of an answer with status 200.
    func send(
        _ request: HTTPRequest, to what: String, _ configuration: HTTPConfiguration
    ) async throws -> [UInt8] {
        let client: HTTPClient
        do {
            client = try HTTPClient(configuration)
        } catch {
            throw CredentialError(.invalid, "\(what): \(error)")
        }
        let response: HTTPResponse
        do {
            response = try await Self.answer(of: request, by: client)
        } catch let failure as HTTPFailure {
            throw CredentialError(.failed, "\(what): \(failure.reason)")
        }
        guard response.status == 200 else {
            throw CredentialError(.failed, "\(what) answered with status \(response.status)")
        }
        return response.body
    }

    private static func answer(of request: HTTPRequest, by client: HTTPClient) async throws -> HTTPResponse {
        try await withThrowingTaskGroup(of: HTTPResponse?.self) { group in
            group.addTask {
                try await client.run()
                return nil
            }
            group.addTask { try await client.send(request) }
            defer { group.cancelAll() }
            while let response = try await group.next() {
                if let response { return response }
            }
            throw CancellationError()
        }
    }

    /// For addresses of the machine itself: no proxy, and little patience.
    var local: HTTPConfiguration {
        var configuration = HTTPConfiguration()
        configuration.connectTimeout = .seconds(2)
        configuration.timeout = .seconds(5)
        configuration.proxy = ""
        configuration.version = .http1
        return configuration
    }
}
