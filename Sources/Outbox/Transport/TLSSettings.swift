/// How a transport's connections are encrypted: who is trusted, and who the client is. The same for every transport.
///
/// TLS 1.2 or later. A member that is nil is not given, and has its default. What is verified can be switched off one by one.
public struct TLSSettings: Sendable, Hashable {
    /// The file, in PEM, of the authorities that are trusted. Default: those of the system.
    public var caFile: String?
    /// The file, in PEM, of the client's certificate and those that lead to its authority. Default: none.
    public var certificateFile: String?
    /// The file, in PEM, of the key of the client's certificate.
    public var keyFile: String?
    /// What the key's file is encrypted with; never printed. Default: it is not encrypted.
    public var keyPassword: String?
    /// Whether the other side's certificate has to come from a trusted authority. Default true.
    public var verifiesPeer: Bool?
    /// Whether the other side's certificate has to be for the host that was asked for. Default true.
    public var verifiesHost: Bool?

    /// Creates settings; what is left out is not given.
    public init(
        caFile: String? = nil, certificateFile: String? = nil, keyFile: String? = nil, keyPassword: String? = nil,
        verifiesPeer: Bool? = nil, verifiesHost: Bool? = nil
    ) {
        self.caFile = caFile
        self.certificateFile = certificateFile
        self.keyFile = keyFile
        self.keyPassword = keyPassword
        self.verifiesPeer = verifiesPeer
        self.verifiesHost = verifiesHost
    }
}

// A secret is not printed by accident either, as a part of something that is.
extension TLSSettings: CustomStringConvertible, CustomReflectable {
    /// The parameters of an address that would say it, without the password.
    public var description: String {
        TLSSettings.Parameter.allCases
            .compactMap { parameter in self.value(of: parameter).map { "\(parameter.rawValue)=\($0)" } }
            .joined(separator: "&")
    }
    /// The description, and nothing else.
    public var customMirror: Mirror { Mirror(self, children: ["description": self.description]) }
}
