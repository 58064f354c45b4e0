public import Outbox

/// Where a ``WebhookTransport`` sends messages, what a request is, and how long it is patient.
///
/// The short way is an address: ``init(url:)``. A transport refuses settings that cannot work together when it is created.
public struct WebhookConfiguration: Sendable {
    /// The URL that messages are sent to, with places for what a message has (see `MessageTemplate`):
    /// `https://hooks.example.com/orders/{route}?customer={key}`. What comes from a message is percent-encoded. The host may come from a
    /// message only where ``hosts`` says which. No user, no fragment.
    public var address: String
    /// Which hosts may come out of a template in the place of the host: names, `*.example.com`, or `*` for all. Default none.
    public var hosts: [String]
    /// What a request is.
    public var request: Request
    /// What messages are signed with. Default: they are not.
    public var signing: Signing
    /// How messages become events of CloudEvents 1.0; nil, the default: they are sent as they are.
    public var cloudEvents: CloudEvents?
    /// How the transport identifies itself besides signatures; nil, the default: not at all. Needs a host that is the same for all
    /// messages.
    public var credentials: Credentials?
    /// What each receiver gets at most, and how long is waited for it.
    public var limits: Limits
    /// What becomes of messages for a receiver that is down or gone.
    public var outage: Outage
    /// How connections are encrypted. Default: as systems do; certificates and hosts are verified.
    public var tls: TLSSettings
    /// Exceptions from the rule that only addresses of the Internet are connected to: names of hosts, addresses, and blocks of addresses
    /// such as `10.0.0.0/8`. Default none.
    public var allowedAddresses: [String]
    /// The address of a proxy that requests go through, `http://proxy.internal:3128`; nil, the default: none, whatever the environment
    /// says. It looks up the receivers' hosts, so it has to refuse private addresses itself; here its own is checked.
    public var proxy: String?

    /// Creates a configuration; see the properties for the defaults.
    public init(
        address: String, hosts: [String] = [], request: Request = Request(), signing: Signing = Signing(),
        cloudEvents: CloudEvents? = nil, credentials: Credentials? = nil, limits: Limits = Limits(),
        outage: Outage = Outage(), tls: TLSSettings = TLSSettings(), allowedAddresses: [String] = [],
        proxy: String? = nil
    ) {
        self.address = address
        self.hosts = hosts
        self.request = request
        self.signing = signing
        self.cloudEvents = cloudEvents
        self.credentials = credentials
        self.limits = limits
        self.outage = outage
        self.tls = tls
        self.allowedAddresses = allowedAddresses
        self.proxy = proxy
    }
}

// What a debugger or `dump` shows must not be a secret either: a query can have a token.
extension WebhookConfiguration: CustomStringConvertible, CustomReflectable {
    /// Where messages go, up to the first part of the path: without user, query and what may be a secret.
    public var description: String {
        // What cannot be read is said by the transport; nothing of it is known to be harmless.
        (try? AddressTemplate(self.address, hosts: self.hosts))?.description ?? "a webhook"
    }
    /// The description, and nothing else.
    public var customMirror: Mirror { Mirror(self, children: ["description": self.description]) }
}
