/// What a client of the listener may take.
struct ListenerLimits: Sendable {
    /// How many connections there are at the same time; more wait to be accepted.
    var connections = 96
    /// From when a connection is made until its first request has come.
    var firstRequest = Duration.seconds(10)
    /// From an answer until the next request of a connection that is kept: more than scrapers leave between two.
    var nextRequest = Duration.seconds(75)
    /// From a request's head until its answer has been taken.
    var answer = Duration.seconds(30)
    /// How long what is left of a refused request is thrown away, so that its sender sees the answer.
    var linger = Duration.seconds(2)
    /// The longest line of a request's head.
    var headerField = 8 << 10
    /// All of its header fields.
    var headers = 16 << 10
    /// How many header fields it has.
    var headerCount = 100
}
