import CRdKafka

/// Why OpenSSL refuses a broker's certificate. librdkafka does not report it: to it every certificate that is
/// refused is one of an unknown authority.
enum CertificateVerdict {
    /// By OpenSSL's number (`X509_V_ERR_…`).
    static func text(_ number: Int32) -> String {
        switch number {
        case 2, 18, 19, 20, 21: "no authority that is trusted here has signed it (ca_file)"
        case 9: "it is not valid yet"
        case 10: "it has expired"
        case 23: "it is revoked"
        case 62, 64: "it is for another host"
        default: "it is refused by OpenSSL, with error \(number)"
        }
    }
}

/// Leaves OpenSSL's verdict on a certificate as it is, and puts it into words, for the log. On a thread of librdkafka.
func judgeCertificate(
    _ client: OpaquePointer?, _ broker: UnsafePointer<CChar>?, _ brokerID: Int32,
    _ verdict: UnsafeMutablePointer<Int32>?, _ depth: Int32, _ certificate: UnsafePointer<CChar>?, _ size: Int,
    _ reason: UnsafeMutablePointer<CChar>?, _ reasonSize: Int, _ opaque: UnsafeMutableRawPointer?
) -> Int32 {
    guard let number = unsafe verdict?.pointee, number != 0 else { return unsafe verdict == nil ? 0 : 1 }
    guard let reason = unsafe reason, reasonSize > 0 else { return 0 }
    let text = CertificateVerdict.text(number).utf8CString.prefix(reasonSize)
    for (index, character) in text.enumerated() { unsafe reason[index] = character }
    unsafe reason[text.count - 1] = 0
    return 0
}
