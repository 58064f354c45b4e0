import OutboxHTTP

/// What hands out credentials beside the process: an agent of its containers, or the service with an instance's metadata.
extension CredentialFetcher {
    /// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
    func ofContainer() async throws -> AWSCredentials {
        let url: String
        if let path = self.surroundings["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] {
            guard path.hasPrefix("/") else {
                throw CredentialError(.invalid, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with a slash")
            }
            url = "http://169.254.170.2\(path)"
        } else if let full = self.surroundings["AWS_CONTAINER_CREDENTIALS_FULL_URI"] {
            guard Self.mayBeTrusted(full) else {
                throw CredentialError(
                    .invalid,
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https:// nor an address of this machine or its container agent"
                )
            }
            url = full
        } else {
            throw CredentialError(.notConfigured, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not set")
        }
        var request = HTTPRequest("GET", url, headers: [HTTPHeader("accept", "application/json")])
        if let token = try self.containerToken() { request.headers.append(HTTPHeader("authorization", token)) }
        let what = "the container’s agent"
        return try CredentialAnswer.credentials(in: await self.send(request, to: what, self.local), from: what)
    }

    /// The token is read each time: its file changes.
    private func containerToken() throws(CredentialError) -> String? {
        guard let path = self.surroundings["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] else {
            return self.surroundings["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
        }
        guard let text = self.surroundings.text(ofFile: path) else {
            throw CredentialError(.invalid, "the file of AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE cannot be read")
        }
        return text
    }

    /// Without TLS the token goes to this machine, or to the agents of ECS and EKS, and to no other.
    static func mayBeTrusted(_ url: String) -> Bool {
        guard let origin = HTTPRequest.origin(of: url) else { return false }
        if origin.hasPrefix("https://") { return true }
        guard origin.hasPrefix("http://") else { return false }
        var host = origin.dropFirst("http://".count)
        if host.first == "[" {
            host = host.prefix { $0 != "]" }.dropFirst()
            return host == "::1" || host == "fd00:ec2::23"
        }
        host = host.prefix { $0 != ":" }
        let isLoopback =
            host.hasPrefix("127.") && host.split(separator: ".").count == 4
            && host.allSatisfy { $0.isNumber || $0 == "." }
        return host == "localhost" || host == "169.254.170.2" || host == "169.254.170.23" || isLoopback
    }

    /// Version 2 only: with a token for each look.
    ///
    /// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html
    func ofInstance() async throws -> AWSCredentials {
        if self.surroundings["AWS_EC2_METADATA_DISABLED"]?.lowercased() == "true" {
            throw CredentialError(.notConfigured, "AWS_EC2_METADATA_DISABLED is true")
        }
        let what = "the instance’s metadata service"
        var base = self.surroundings["AWS_EC2_METADATA_SERVICE_ENDPOINT"] ?? "http://169.254.169.254"
        while base.last == "/" { base.removeLast() }
        let lifetime = HTTPHeader("x-aws-ec2-metadata-token-ttl-seconds", "21600")
        let token = try await self.send(
            HTTPRequest("PUT", "\(base)/latest/api/token", headers: [lifetime]), to: what, self.local)
        let header = HTTPHeader("x-aws-ec2-metadata-token", String(decoding: token, as: UTF8.self))
        let path = "\(base)/latest/meta-data/iam/security-credentials/"
        let roles = try await self.send(HTTPRequest("GET", path, headers: [header]), to: what, self.local)
        guard let role = String(decoding: roles, as: UTF8.self).split(whereSeparator: \.isNewline).first else {
            throw CredentialError(.failed, "\(what) knows of no role of this instance")
        }
        let answer = try await self.send(HTTPRequest("GET", path + role, headers: [header]), to: what, self.local)
        return try CredentialAnswer.credentials(in: answer, from: what)
    }
}
