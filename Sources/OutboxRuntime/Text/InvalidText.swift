/// What is wrong with a text that stands in a configuration, and what would be right. It has nothing in it that could be a password.
package struct InvalidText: Error, Hashable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}
