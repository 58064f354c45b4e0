/// What is known of the processes that began to deliver a stream and ended before they had finished anything.
public struct StreamStart: Sendable, Hashable {
    /// How often what is first in the stream was begun and not finished. 0 when all is well.
    public var count: Int
    /// The message that was delivered last, alone, after several such starts; nil: none.
    public var suspect: Int64?
    /// How often it was begun.
    public var suspectAttempts: Int

    /// Creates what is known.
    public init(count: Int = 0, suspect: Int64? = nil, suspectAttempts: Int = 0) {
        self.count = count
        self.suspect = suspect
        self.suspectAttempts = suspectAttempts
    }
}
