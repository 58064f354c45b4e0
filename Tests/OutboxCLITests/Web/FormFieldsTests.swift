import Testing

@testable import OutboxCLI

/// Fields of queries and forms.
@Suite(.timeLimit(.minutes(1))) struct FormFieldsTests {
    @Test func fieldsAreReadAsBrowsersWriteThem() throws {
        let fields = try #require(FormFields(parsing: "a=1&b=x+y%20z&a=2&c&=d&e=%C3%B6%26%3D%2B&&f="))
        #expect(fields["a"] == "1" && fields.all("a") == ["1", "2"])
        #expect(fields["b"] == "x y z" && fields["e"] == "ö&=+")
        #expect(fields["c"] == nil && fields.all("c") == [""], "a field that was not filled in")
        #expect(fields["f"] == nil && fields["g"] == nil && fields[""] == "d")
    }

    @Test(arguments: ["a=%", "a=%4", "a=%zz", "%=1", "a=%FF", "a=%C3", "a=%c3%28", "a=%00"])
    func whatIsNoTextIsRefused(_ text: String) { #expect(FormFields(parsing: text) == nil) }

    @Test func thereIsAnEndToFields() {
        #expect(FormFields(parsing: Array(repeating: "a=1", count: 2000).joined(separator: "&"))?.fields.count == 2000)
        #expect(FormFields(parsing: Array(repeating: "a=1", count: 2001).joined(separator: "&")) == nil)
    }

    @Test(arguments: ["", "plain", "a&b=c", "ö\u{301}\"'<>%+ #?/\\", "\u{1}\n\t", "日本語", "😀"])
    func whatIsWrittenIsRead(_ value: String) throws {
        var fields = FormFields()
        fields.add("name", value)
        fields.add(value, "other")
        fields.add("missing", nil)
        #expect(fields.text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x27 && $0 != 0x3C })
        #expect(try #require(FormFields(parsing: fields.text)).fields == fields.fields)
    }
}
