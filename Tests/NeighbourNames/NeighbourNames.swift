// Stands for what a server imports beside the outbox: types of the same names as in PostgresNIO, Vapor, Fluent, SQLKit,
// SQLite.swift, SwiftUI and gRPC. A name that is here must not be one of our libraries' own: a file that imports both could
// not use it without saying whose it is.

// PostgresNIO
public struct PostgresClient { public init() {} }
public struct PostgresConnection { public init() {} }
public struct PostgresError: Error { public init() {} }
public struct PostgresNotification { public init() {} }
public struct PostgresQuery { public init() {} }
public struct PostgresRow { public init() {} }
public struct PostgresTransactionError: Error { public init() {} }

// Vapor
public struct Application { public init() {} }
public struct Environment { public init() {} }
public struct Request { public init() {} }
public struct Response { public init() {} }
public struct Route { public init() {} }
public struct Routes { public init() {} }
public struct Session { public init() {} }

// Fluent and SQLKit
public struct Database { public init() {} }
public struct Migration { public init() {} }
public struct Migrations { public init() {} }
public struct Migrator { public init() {} }
public struct Model { public init() {} }
public struct Page { public init() {} }
public struct Relation { public init() {} }
public struct Schema { public init() {} }
public struct SQLColumn { public init() {} }
public struct SQLRow { public init() {} }
public struct SQLStatement { public init() {} }
public struct SQLValue { public init() {} }

// SQLite.swift, GRDB, SwiftUI
public struct Connection { public init() {} }
public struct ConnectionConfiguration { public init() {} }
public struct ConnectionPool { public init() {} }
public struct QueryResult { public init() {} }
public struct Row { public init() {} }
public struct Statement { public init() {} }
public struct Transaction { public init() {} }
public struct TransactionError: Error { public init() {} }

// gRPC and other libraries for what is tried again and for what runs in a server
public struct CircuitBreaker { public init() {} }
public struct Job { public init() {} }
public struct RetryPolicy { public init() {} }
public struct RetryStrategy { public init() {} }
public struct Timestamp { public init() {} }
