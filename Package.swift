// swift-tools-version: 6.2
import PackageDescription

var settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .strictMemorySafety(),
]
// Not for everybody: a newer compiler may warn where ours does not.
if Context.environment["OUTBOX_WARNINGS_AS_ERRORS"] != nil {
    settings.append(.treatAllWarnings(as: .error))
}

// What continuous integration throws away need not be fit for a debugger. Names in backtraces stay.
if Context.environment["OUTBOX_NO_DEBUG_INFO"] != nil {
    settings.append(.unsafeFlags(["-gnone"]))
}

let package = Package(
    name: "swift-outbox",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "Outbox", targets: ["Outbox"]),
        .library(name: "OutboxPostgres", targets: ["OutboxPostgres"]),
        .library(name: "OutboxAMQP", targets: ["OutboxAMQP"]),
        .library(name: "OutboxKafka", targets: ["OutboxKafka"]),
        .library(name: "OutboxAWS", targets: ["OutboxAWS"]),
        .library(name: "OutboxPubSub", targets: ["OutboxPubSub"]),
        .library(name: "OutboxWebhook", targets: ["OutboxWebhook"]),
        .library(name: "OutboxTesting", targets: ["OutboxTesting"]),
        .library(name: "OutboxTestServers", targets: ["OutboxTestServers"]),
        .executable(name: "outbox", targets: ["OutboxCLI"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        // Without traits: the listener of the program reads no settings by swift-configuration.
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    ],
    targets: [
        .systemLibrary(
            name: "CLibPQ",
            pkgConfig: "libpq",
            providers: [.apt(["libpq-dev"]), .brew(["libpq"])]
        ),
        .systemLibrary(
            name: "CRdKafka",
            pkgConfig: "rdkafka",
            providers: [.apt(["librdkafka-dev"]), .brew(["librdkafka"])]
        ),
        .systemLibrary(
            name: "CRabbitMQ",
            pkgConfig: "librabbitmq",
            providers: [.apt(["librabbitmq-dev"]), .brew(["rabbitmq-c"])]
        ),
        .systemLibrary(
            name: "CCurl",
            pkgConfig: "libcurl",
            providers: [.apt(["libcurl4-openssl-dev"]), .brew(["curl"])]
        ),
        // OpenSSL's, for signatures: libcurl has it in the process already.
        .systemLibrary(
            name: "CCrypto",
            pkgConfig: "libcrypto",
            providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]
        ),
        .target(
            name: "OutboxSQL",
            path: "sql",
            resources: [
                "session", "fleet", "doorbell", "log", "stream", "deferred", "migration", "enqueue", "inspection",
                "segment",
                "doctor",
            ]
            .map { .embedInCode($0) },
            swiftSettings: settings
        ),
        // What the engine, the Postgres client and the transports share, and that says nothing of messages.
        .target(name: "OutboxRuntime", swiftSettings: settings),
        .target(
            name: "OutboxMigrations",
            dependencies: ["OutboxRuntime"],
            path: "migrations",
            resources: [.embedInCode("versions")],
            swiftSettings: settings
        ),
        .target(
            name: "Outbox",
            dependencies: [
                "OutboxRuntime",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "OutboxPostgres",
            dependencies: [
                "CLibPQ", "Outbox", "OutboxMigrations", "OutboxRuntime", "OutboxSQL",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "OutboxAMQP",
            dependencies: [
                "CRabbitMQ", "Outbox", "OutboxRuntime",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "OutboxKafka",
            dependencies: [
                "CRdKafka", "Outbox", "OutboxRuntime",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
            ],
            swiftSettings: settings
        ),
        // What the transports that speak HTTP share.
        .target(
            name: "OutboxHTTP",
            dependencies: [
                "CCrypto", "CCurl", "Outbox", "OutboxRuntime",
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "OutboxAWS",
            dependencies: [
                "Outbox", "OutboxHTTP", "OutboxRuntime",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "OutboxPubSub",
            dependencies: [
                "Outbox", "OutboxHTTP", "OutboxRuntime",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "OutboxWebhook",
            dependencies: [
                "Outbox", "OutboxHTTP", "OutboxRuntime",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "OutboxTesting",
            dependencies: [
                "Outbox", "OutboxRuntime",
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: settings
        ),
        // Servers for the time of a test. Its processes need all of Foundation, which an application's unit tests do not link otherwise.
        .target(
            name: "OutboxTestServers",
            resources: ["Supervision/supervisor", "Postgres/postgres", "RabbitMQ/rabbitmq"].map {
                .embedInCode("\($0).sh")
            },
            swiftSettings: settings
        ),
        // Keeps the metrics of swift-metrics for a scraper, and writes them. For the program.
        .target(
            name: "OutboxPrometheus",
            dependencies: [.product(name: "CoreMetrics", package: "swift-metrics")],
            swiftSettings: settings
        ),
        // Reads what is in RabbitMQ, for the demonstration and the tests.
        .target(name: "RabbitMQMailbox", dependencies: ["CRabbitMQ"], swiftSettings: settings),
        .executableTarget(
            name: "OutboxCLI",
            dependencies: [
                "Outbox", "OutboxAMQP", "OutboxAWS", "OutboxKafka", "OutboxPostgres", "OutboxPrometheus",
                "OutboxPubSub", "OutboxRuntime", "OutboxTestServers", "OutboxTesting", "OutboxWebhook",
                "RabbitMQMailbox",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Mustache", package: "swift-mustache"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system", condition: .when(platforms: [.linux])),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Yams", package: "Yams"),
            ],
            resources: [.embedInCode("Web/Templates")],
            swiftSettings: settings
        ),
        // What tests of several targets share and that needs the test library.
        .target(
            name: "TestSupport",
            dependencies: ["OutboxRuntime", .product(name: "Logging", package: "swift-log")],
            path: "Tests/TestSupport",
            swiftSettings: settings
        ),
        // Brokers of librdkafka's own, which its header for tests starts.
        .systemLibrary(
            name: "CRdKafkaMock",
            path: "Tests/CRdKafkaMock",
            pkgConfig: "rdkafka",
            providers: [.apt(["librdkafka-dev"]), .brew(["librdkafka"])]
        ),
        .target(
            name: "KafkaTesting",
            dependencies: ["CRdKafka", "CRdKafkaMock", "Outbox"],
            path: "Tests/KafkaTesting",
            swiftSettings: settings
        ),
        // Names that our own must not be ambiguous beside.
        .target(name: "NeighbourNames", path: "Tests/NeighbourNames", swiftSettings: settings),
        .testTarget(
            name: "PublicNamesTests",
            dependencies: [
                "NeighbourNames", "Outbox", "OutboxAMQP", "OutboxAWS", "OutboxKafka", "OutboxPostgres", "OutboxPubSub",
                "OutboxTesting", "OutboxWebhook",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "OutboxRuntimeTests", dependencies: ["OutboxRuntime", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "OutboxTests",
            dependencies: [
                "Outbox", "OutboxRuntime", "OutboxTesting", "TestSupport",
                .product(name: "InMemoryTracing", package: "swift-distributed-tracing"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "OutboxPostgresTests",
            dependencies: [
                "CLibPQ", "Outbox", "OutboxMigrations", "OutboxPostgres", "OutboxRuntime", "OutboxSQL",
                "OutboxTestServers",
                "OutboxTesting", "TestSupport",
                .product(name: "Instrumentation", package: "swift-distributed-tracing"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "OutboxAMQPTests",
            dependencies: [
                "CRabbitMQ", "Outbox", "OutboxAMQP", "OutboxPostgres", "OutboxRuntime", "OutboxTestServers",
                "OutboxTesting",
                "RabbitMQMailbox", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "OutboxKafkaTests",
            dependencies: [
                "CRdKafka", "KafkaTesting", "Outbox", "OutboxKafka", "OutboxPostgres", "OutboxRuntime",
                "OutboxTestServers",
                "OutboxTesting", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "OutboxPubSubTests",
            dependencies: [
                "Outbox", "OutboxHTTP", "OutboxPubSub", "OutboxRuntime", "OutboxTesting", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "KafkaWireProducer",
            dependencies: [
                "Outbox", "OutboxKafka", "OutboxTesting",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/KafkaWireProducer",
            swiftSettings: settings
        ),
        .testTarget(
            name: "OutboxHTTPTests",
            dependencies: [
                "Outbox", "OutboxHTTP", "OutboxRuntime", "OutboxTesting", "TestSupport",
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system", condition: .when(platforms: [.linux])),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "OutboxAWSTests",
            dependencies: [
                "Outbox", "OutboxAWS", "OutboxHTTP", "OutboxRuntime", "OutboxTestServers", "OutboxTesting",
                "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "OutboxWebhookTests",
            dependencies: [
                "Outbox", "OutboxHTTP", "OutboxPostgres", "OutboxRuntime", "OutboxTestServers", "OutboxTesting",
                "OutboxWebhook",
                "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "WebhookWireProducer",
            dependencies: [
                "Outbox", "OutboxHTTP", "OutboxTesting", "OutboxWebhook",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/WebhookWireProducer",
            swiftSettings: settings
        ),
        .testTarget(
            name: "OutboxPrometheusTests",
            dependencies: ["OutboxPrometheus", .product(name: "CoreMetrics", package: "swift-metrics")],
            swiftSettings: settings
        ),
        .testTarget(
            name: "OutboxCLITests",
            dependencies: [
                "Outbox", "OutboxCLI", "OutboxPostgres", "OutboxPrometheus", "OutboxRuntime", "OutboxTestServers",
                "OutboxTesting", "RabbitMQMailbox", "TestSupport",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system", condition: .when(platforms: [.linux])),
            ],
            swiftSettings: settings
        ),
    ]
)

// For scripts/test --no-transports: scripts/sanitize compiles and runs these.
if Context.environment["OUTBOX_NO_TRANSPORT_TESTS"] != nil {
    let transports = [
        "OutboxAMQPTests", "OutboxKafkaTests", "OutboxAWSTests", "OutboxHTTPTests", "OutboxWebhookTests",
        "OutboxPubSubTests",
    ]
    package.targets.removeAll { transports.contains($0.name) }
}

// For scripts/sanitize, which looks at what is written against C libraries: half as much is compiled.
if Context.environment["OUTBOX_TRANSPORTS_ALONE"] != nil {
    let others = [
        "OutboxCLI", "OutboxCLITests", "OutboxPostgresTests", "OutboxTests", "OutboxRuntimeTests", "PublicNamesTests",
        "NeighbourNames", "KafkaWireProducer", "WebhookWireProducer", "OutboxPrometheus", "OutboxPrometheusTests",
    ]
    package.targets.removeAll { others.contains($0.name) }
    package.products.removeAll { $0.name == "outbox" }
    package.dependencies.removeAll { dependency in
        guard case .sourceControl(_, let location, _) = dependency.kind else { return false }
        return [
            "/Yams", "/swift-argument-parser", "/hummingbird", "/swift-mustache", "/swift-nio", "/swift-nio-extras",
            "/swift-http-types",
        ].contains { location.hasSuffix($0) }
    }
}
