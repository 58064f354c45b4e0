import OutboxRuntime

extension TLSSettings {
    /// A parameter of an address, of whatever kind of broker.
    package enum Parameter: String, CaseIterable, Sendable {
        case caFile = "ca_file"
        case certificateFile = "cert_file"
        case keyFile = "key_file"
        case verifiesPeer = "verify_peer"
        case verifiesHost = "verify_host"

        /// All names.
        package static let names = Self.allCases.map(\.rawValue)
    }

    /// What a parameter says; nil: it is not given.
    package func value(of parameter: Parameter) -> String? {
        switch parameter {
        case .caFile: self.caFile
        case .certificateFile: self.certificateFile
        case .keyFile: self.keyFile
        case .verifiesPeer: self.verifiesPeer.map(String.init)
        case .verifiesHost: self.verifiesHost.map(String.init)
        }
    }

    /// Takes a parameter of an address.
    package mutating func set(_ parameter: Parameter, to value: String) throws(TransportConfigurationError) {
        switch parameter {
        case .caFile: self.caFile = value
        case .certificateFile: self.certificateFile = value
        case .keyFile: self.keyFile = value
        case .verifiesPeer: self.verifiesPeer = try Self.flag(value, parameter)
        case .verifiesHost: self.verifiesHost = try Self.flag(value, parameter)
        }
    }

    private static func flag(_ value: String, _ parameter: Parameter) throws(TransportConfigurationError) -> Bool {
        guard let flag = Bool(value) else {
            throw TransportConfigurationError("the parameter “\(parameter.rawValue)” is one of false, true")
        }
        return flag
    }

    /// For a parameter of an address whose scheme is one without TLS.
    package static func needsTLS(_ parameter: String, scheme: String) -> TransportConfigurationError {
        TransportConfigurationError("the parameter “\(parameter)” needs an address that begins with \(scheme)://")
    }

    /// What cannot be used, or does not go together; nil: all can. Reads no file.
    package var defect: String? {
        (self.certificateFile == nil) == (self.keyFile == nil)
            ? nil : "a client certificate needs both “cert_file” and “key_file”"
    }

    /// Which file cannot be read, and why; nil: all can.
    package var fileDefect: String? {
        for parameter in [Parameter.caFile, .certificateFile, .keyFile] {
            if let path = self.value(of: parameter), let defect = ReadableFile.defect(of: path) {
                return "“\(parameter.rawValue)”: \(defect)"
            }
        }
        return nil
    }
}
