/// Answers in XML.
enum XMLText {
    /// The text of the first element of that name that has neither attributes nor children, as it is written: names of errors, keys and tokens
    /// have no character that is escaped.
    static func element(_ name: String, of xml: String) -> String? {
        guard let start = xml.firstRange(of: "<\(name)>"),
            let end = xml[start.upperBound...].firstRange(of: "</\(name)>")
        else { return nil }
        return String(xml[start.upperBound..<end.lowerBound])
    }
}
