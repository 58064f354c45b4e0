/// The rule by which Kafka names topics.
enum TopicName {
    /// What is wrong with a name; nil: nothing.
    static func defect(of name: String) -> String? {
        if name.isEmpty { return "the topic’s name is empty" }
        if name.utf8.count > 249 { return "the topic’s name has more than 249 characters" }
        if name == "." || name == ".." { return "“\(name)” is no topic" }
        let isGood = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        return isGood ? nil : "the topic’s name has characters other than letters, digits, “.”, “_” and “-”"
    }
}
