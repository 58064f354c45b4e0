import CCurl

/// The address of a proxy: `http://user:password@host:3128`.
enum ProxyAddress {
    private static let schemes = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"]

    /// What is wrong where libcurl cannot use the address that the environment has.
    static let defectInEnvironment =
        "the environment’s proxy (https_proxy, http_proxy, all_proxy) cannot be used: its address is SCHEME://USER:PASSWORD@HOST:PORT, with a port up to 65535, and begins with "
        + Self.schemes.joined(separator: ", ")

    /// What is wrong with an address, without repeating it: it may have a password. libcurl repeats it, in the middle of a delivery.
    static func defect(of address: String) -> String? {
        guard let url = unsafe curl_url() else { return "no memory" }
        defer { unsafe curl_url_cleanup(url) }
        let text = address.contains("://") ? address : "http://\(address)"
        let flags = UInt32(CURLU_NON_SUPPORT_SCHEME)
        guard unsafe curl_url_set(url, CURLUPART_URL, text, flags) == CURLUE_OK else {
            return "a proxy’s address is SCHEME://USER:PASSWORD@HOST:PORT, with a port up to 65535"
        }
        let scheme = text.prefix { $0 != ":" }.lowercased()
        if !self.schemes.contains(scheme) {
            return "a proxy’s address begins with \(self.schemes.joined(separator: ", "))"
        }
        return nil
    }
}
