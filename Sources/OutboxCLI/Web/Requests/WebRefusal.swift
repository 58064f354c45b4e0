import HTTPTypes

/// Why a page cannot be shown, or something not done: a sentence for the one who asked.
struct WebRefusal: Error {
    let status: HTTPResponse.Status
    let reason: String

    init(_ status: HTTPResponse.Status, _ reason: String) {
        self.status = status
        self.reason = reason
    }
}
