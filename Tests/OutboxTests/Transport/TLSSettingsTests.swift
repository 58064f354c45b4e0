import Testing

@testable import Outbox

@Suite(.timeLimit(.minutes(5))) struct TLSSettingsTests {
    @Test func parametersAreSpelledOnce() throws {
        var tls = TLSSettings()
        let values = [
            "ca_file": "/ca", "cert_file": "/c", "key_file": "/k", "verify_peer": "false", "verify_host": "true",
        ]
        #expect(Set(TLSSettings.Parameter.names) == Set(values.keys))
        for parameter in TLSSettings.Parameter.allCases {
            #expect(tls.value(of: parameter) == nil)
            try tls.set(parameter, to: try #require(values[parameter.rawValue]))
            #expect(tls.value(of: parameter) == values[parameter.rawValue])
        }
        #expect(
            tls
                == TLSSettings(
                    caFile: "/ca", certificateFile: "/c", keyFile: "/k", verifiesPeer: false, verifiesHost: true))
    }

    @Test func aFlagIsTrueOrFalse() {
        for value in ["yes", "1", "TRUE", ""] {
            var tls = TLSSettings()
            let error = #expect(throws: TransportConfigurationError.self) { try tls.set(.verifiesHost, to: value) }
            #expect(error?.description == "the parameter “verify_host” is one of false, true")
        }
    }

    @Test func aCertificateAndItsKeyGoTogether() {
        #expect(TLSSettings().defect == nil)
        #expect(TLSSettings(certificateFile: "/c", keyFile: "/k").defect == nil)
        #expect(TLSSettings(certificateFile: "/c").defect != nil)
        #expect(TLSSettings(keyFile: "/k").defect != nil)
    }

    @Test func aFileThatCannotBeReadIsNamed() {
        #expect(TLSSettings(caFile: #filePath).fileDefect == nil)
        let defect = TLSSettings(caFile: #filePath, certificateFile: #filePath, keyFile: "/nowhere.pem").fileDefect
        #expect(defect == "“key_file”: the file “/nowhere.pem” cannot be read: No such file or directory")
    }

    @Test func thePasswordOfAKeyIsNotPrinted() {
        let tls = TLSSettings(certificateFile: "/c", keyFile: "/k", keyPassword: "swordfish", verifiesPeer: true)
        var dumped = ""
        dump(tls, to: &dumped)
        for text in ["\(tls)", String(reflecting: tls), dumped, "\([tls as TLSSettings?])"] {
            #expect(!text.contains("swordfish"), "\(text)")
        }
        #expect("\(tls)" == "cert_file=/c&key_file=/k&verify_peer=true")
    }
}
