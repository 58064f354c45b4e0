/// Why a message can never be sent as it is.
struct MessageRefusal: Error, Sendable, Hashable {
    let reason: String
}
