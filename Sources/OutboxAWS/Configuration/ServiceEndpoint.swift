import OutboxHTTP

/// Where a service is.
struct ServiceEndpoint: Sendable, Hashable {
    /// With a path, at least a slash.
    let url: String

    /// - Parameter given: The address that a configuration has; nil: that of the environment, or of the region.
    /// - Throws: A ``CredentialError`` for one that is no address.
    init(
        _ service: AWSService, given: String?, region: String, _ surroundings: Surroundings
    ) throws(CredentialError) {
        let ignored = surroundings["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"]?.lowercased() == "true"
        let variables = ignored ? [] : [service.endpointVariable, "AWS_ENDPOINT_URL"]
        let (name, value) =
            given.map { ("endpoint", $0) }
            ?? variables.lazy.compactMap { name in surroundings[name].map { (name, $0) } }.first
            ?? ("region", "https://\(service.name).\(region).\(Self.suffix(of: region))")
        guard let origin = HTTPRequest.origin(of: value), origin.hasPrefix("http://") || origin.hasPrefix("https://"),
            origin.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !value.contains(where: { "?#".contains($0) })
        else {
            throw CredentialError(.invalid, "“\(name)” is no address such as https://host:port")
        }
        let path = value.dropFirst(origin.count)
        self.url = origin + (path.isEmpty ? "/" : path)
    }

    /// Regions by what their names begin with.
    ///
    /// https://docs.aws.amazon.com/general/latest/gr/rande.html
    private static let partitions: [(region: String, name: String, domain: String)] = [
        ("cn-", name: "aws-cn", domain: "amazonaws.com.cn"),
        ("us-gov-", "aws-us-gov", "amazonaws.com"), ("us-isob-", "aws-iso-b", "sc2s.sgov.gov"),
        ("us-isof-", "aws-iso-f", "csp.hci.ic.gov"), ("us-iso-", "aws-iso", "c2s.ic.gov"),
        ("eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"), ("eusc-", "aws-eusc", "amazonaws.eu"),
    ]

    /// The domain of a region's partition.
    static func suffix(of region: String) -> String {
        self.partitions.first { region.hasPrefix($0.region) }?.domain ?? "amazonaws.com"
    }

    /// The name of a region's partition, with which ARNs begin.
    static func partition(of region: String) -> String {
        self.partitions.first { region.hasPrefix($0.region) }?.name ?? "aws"
    }

    /// Whether a text can be a region: it becomes a part of a host's name.
    static func isRegion(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 63 && text.first != "-" && text.last != "-"
            && text.utf8.allSatisfy {
                (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-")
            }
    }
}
