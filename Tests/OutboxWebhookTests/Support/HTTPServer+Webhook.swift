import TestSupport

extension HTTPServer.Request {
    /// The id that the webhook says.
    var id: String { self.headers["webhook-id"] ?? "" }
}
