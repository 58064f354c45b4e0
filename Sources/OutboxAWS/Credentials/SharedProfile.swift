/// A profile of the shared files, those of credentials before those of the configuration.
struct SharedProfile: Sendable {
    let name: String
    private let values: [String: String]
    /// Whether one of the files has it.
    let isPresent: Bool
    /// What keeps one of the files from being read; nil: nothing, or there is none.
    let problem: String?

    /// Reads the files.
    ///
    /// - Parameter name: nil: that of the environment, or `default`.
    init(_ name: String?, _ surroundings: Surroundings) {
        let name = name ?? surroundings["AWS_PROFILE"] ?? "default"
        self.name = name
        var values: [String: String] = [:]
        var isPresent = false
        var problem: String?
        for (variable, file, kind) in [
            ("AWS_CONFIG_FILE", "config", ProfileFile.Kind.configuration),
            ("AWS_SHARED_CREDENTIALS_FILE", "credentials", .credentials),
        ] {
            guard let path = surroundings[variable] ?? surroundings["HOME"].map({ "\($0)/.aws/\(file)" }) else {
                continue
            }
            if surroundings.isUnreadable(path) {
                problem = "the file of \(variable), or ~/.aws/\(file), is there and cannot be read"
            }
            guard let text = surroundings.text(ofFile: path),
                let profile = ProfileFile(text, kind: kind).profiles[name]
            else { continue }
            isPresent = true
            values.merge(profile) { _, later in later }
        }
        self.values = values
        self.isPresent = isPresent
        self.problem = problem
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

    /// The way to credentials other than by its keys that a profile describes and this library does not know; nil: none.
    var foreignSource: String? {
        [
            "source_profile", "credential_source", "role_arn", "sso_session", "sso_start_url", "sso_account_id",
            "sso_role_name", "login_session",
        ].first { self[$0] != nil }
    }
}
