import OutboxRuntime

extension MessageTemplate {
    /// Reads a template that is a parameter of an address.
    ///
    /// - Throws: A ``TransportConfigurationError`` that names the parameter, and repeats the template only where it has nothing of
    ///   other parameters in it, such as a password behind an ampersand that was left out.
    package init(_ text: String, of parameter: String) throws(TransportConfigurationError) {
        do throws(TransportConfigurationError) {
            try self.init(text)
        } catch {
            if Redaction.isWhole(text) { throw error }
            throw TransportConfigurationError(
                "“\(parameter)” is no template: a place is {destination}, {route}, {key}, {id} or {header.NAME}, and a brace is"
                    + " written twice")
        }
    }
}
