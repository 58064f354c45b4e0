/// What the service refuses of attributes.
enum AttributeRules {
    /// What is wrong with a name; nil: nothing.
    static func defect(ofName name: String) -> String? {
        if name.isEmpty { return "the name of an attribute is empty" }
        if name.hasPrefix(ServiceLimits.reservedPrefix) {
            return
                "the attribute “\(Self.shown(name))” begins with “\(ServiceLimits.reservedPrefix)”, which is the service’s own"
        }
        let count = name.utf8.count
        guard count > ServiceLimits.attributeNameBytes else { return nil }
        return "the attribute “\(Self.shown(name))” has a name of \(count) bytes; the service takes"
            + " \(ServiceLimits.attributeNameBytes)"
    }

    /// What is wrong with a value; nil: nothing.
    static func defect(ofValue value: String, of name: String) -> String? {
        let count = value.utf8.count
        guard count > ServiceLimits.attributeValueBytes else { return nil }
        return
            "the attribute “\(Self.shown(name))” has \(count) bytes; the service takes \(ServiceLimits.attributeValueBytes)"
    }

    private static func shown(_ name: String) -> String { name.count <= 60 ? name : name.prefix(60) + "…" }
}
