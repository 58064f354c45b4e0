/// A profile of the shared files, those of credentials before those of the configuration.
struct SharedProfile: Sendable {
    let name: String
    private let values: [String: String]
    /// Whether one of the files has it.
    let isPresent: Bool

    /// Reads the files.
    ///
    /// - Parameter name: nil: that of the environment, or `default`.
    init(_ name: String?, _ surroundings: Surroundings) {
        let name = name ?? surroundings["AWS_PROFILE"] ?? "default"
        self.name = name
        var values: [String: String] = [:]
        var isPresent = false
        for (variable, file, kind) in [
            ("AWS_CONFIG_FILE", "config", ProfileFile.Kind.configuration),
            ("AWS_SHARED_CREDENTIALS_FILE", "credentials", .credentials),
        ] {
            guard let path = surroundings[variable] ?? surroundings["HOME"].map({ "\($0)/.aws/\(file)" }),
                let text = surroundings.text(ofFile: path),
                let profile = ProfileFile(text, kind: kind).profiles[name]
            else { continue }
            isPresent = true
            values.merge(profile) { _, later in later }
        }
        self.values = values
        self.isPresent = isPresent
    }

    subscript(_ key: String) -> String? { self.values[key].flatMap { $0.isEmpty ? nil : $0 } }

    /// The access key that it has itself; nil: it has none.
    func credentials() throws(CredentialError) -> AWSCredentials? {
        let (id, secret) = (self["aws_access_key_id"], self["aws_secret_access_key"])
        if id == nil, secret == nil { return nil }
        guard let id, let secret else {
            throw CredentialError(
                .invalid, "the profile “\(self.name)” has only one of aws_access_key_id and aws_secret_access_key")
        }
        return AWSCredentials(accessKeyID: id, secretAccessKey: secret, sessionToken: self["aws_session_token"])
    }

    /// The way to credentials that a profile describes and this library does not know; nil: none.
    var foreignSource: String? {
        ["credential_process", "sso_session", "sso_start_url", "source_profile", "credential_source"]
            .first { self[$0] != nil }
    }
}
