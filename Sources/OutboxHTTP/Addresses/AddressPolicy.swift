/// Which addresses a client may connect to.
///
/// A client whose URLs come from outside of its network is a way into the network (server-side request forgery): a name that leads to
/// `169.254.169.254` hands out the machine's credentials. The policy is asked about the address that a socket is going to be connected
/// to, after the name was resolved, for every connection: a name that changes between a check and the connection gains nothing.
package enum AddressPolicy: Sendable, Hashable {
    /// All.
    case any
    /// Those of the Internet, and the exceptions.
    case publicOnly(except: [AllowedAddress] = [])

    /// Why a socket must not be connected to an address; nil: it may.
    ///
    /// - Parameters:
    ///   - address: What the socket would be connected to; nil: what is no address of IP, such as a Unix socket.
    ///   - host: The host that the request names, for exceptions by name.
    package func refusal(of address: SocketAddress?, host: String) -> String? {
        guard case .publicOnly(let exceptions) = self else { return nil }
        guard let address else { return "\(host) is reached by something other than an address of IP" }
        let kind = address.classification
        if kind == .global || exceptions.contains(where: { $0.permits(address.address, host: host) }) { return nil }
        return
            "\(host) has the address \(address.address) (\(kind.rawValue)), and only addresses of the Internet and those"
            + " that are allowed by name, address or block are connected to"
    }
}
