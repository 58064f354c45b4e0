/// How much of what others commit a transaction sees; see chapter 13.2 of the manual of Postgres.
public enum LibPQIsolationLevel: String, Sendable, Hashable, CaseIterable {
    /// Every statement sees what was committed when it began.
    case readCommitted = "READ COMMITTED"
    /// Every statement sees what was committed when the first one began. A write to a row that another transaction changed since fails with 40001.
    case repeatableRead = "REPEATABLE READ"
    /// As if transactions ran one after the other; what would contradict that fails with 40001.
    case serializable = "SERIALIZABLE"
}
