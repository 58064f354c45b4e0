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
if Context.environment["OUTBOX_WARNINGS_AS_ERRORS"] != nil {
    settings.append(.treatAllWarnings(as: .error))
}

// A package of its own: those who depend on swift-outbox build none of it, and it sees no more of swift-outbox than they do.
let package = Package(
    name: "outbox-benchmarks",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "outbox-bench", targets: ["OutboxBench"])
    ],
    dependencies: [
        .package(name: "swift-outbox", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    ],
    targets: [
        // Where the programs in C find their headers and libraries.
        .systemLibrary(
            name: "ReferenceLibPQ", path: "Libraries/LibPQ", pkgConfig: "libpq",
            providers: [.apt(["libpq-dev"]), .brew(["libpq"])]
        ),
        .systemLibrary(
            name: "ReferenceRabbitMQ", path: "Libraries/RabbitMQ", pkgConfig: "librabbitmq",
            providers: [.apt(["librabbitmq-dev"]), .brew(["rabbitmq-c"])]
        ),
        .systemLibrary(
            name: "ReferenceRdKafka", path: "Libraries/RdKafka", pkgConfig: "rdkafka",
            providers: [.apt(["librdkafka-dev"]), .brew(["librdkafka"])]
        ),
        .systemLibrary(
            name: "ReferenceCurl", path: "Libraries/Curl", pkgConfig: "libcurl",
            providers: [.apt(["libcurl4-openssl-dev"]), .brew(["curl"])]
        ),
        .systemLibrary(
            name: "ReferenceTLS", path: "Libraries/TLS", pkgConfig: "libssl",
            providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]
        ),
        .target(
            name: "BenchmarkReferences",
            dependencies: ["ReferenceCurl", "ReferenceLibPQ", "ReferenceTLS", "ReferenceRabbitMQ", "ReferenceRdKafka"],
            path: "References"
        ),
        .target(
            name: "BenchmarkDesigns",
            path: "Designs",
            resources: [
                "notify_per_row", "status_table", "status_claim", "status_finish", "lease_table", "lease_claim",
                "lease_finish", "plain_table", "notify_table", "old_table", "insert_loop",
            ].map { .embedInCode("\($0).sql") },
            swiftSettings: settings
        ),
        .executableTarget(
            name: "OutboxBench",
            dependencies: [
                "BenchmarkDesigns", "BenchmarkReferences",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Outbox", package: "swift-outbox"),
                .product(name: "OutboxAMQP", package: "swift-outbox"),
                .product(name: "OutboxAWS", package: "swift-outbox"),
                .product(name: "OutboxKafka", package: "swift-outbox"),
                .product(name: "OutboxPostgres", package: "swift-outbox"),
                .product(name: "OutboxPubSub", package: "swift-outbox"),
                .product(name: "OutboxTestServers", package: "swift-outbox"),
                .product(name: "OutboxWebhook", package: "swift-outbox"),
            ],
            swiftSettings: settings
        ),
        // JSON and times by hand and with Foundation: swift run -c release --package-path Benchmarks TextBench
        .executableTarget(name: "TextBench", swiftSettings: settings),
        .testTarget(
            name: "OutboxBenchTests",
            dependencies: [
                "OutboxBench",
                .product(name: "OutboxPostgres", package: "swift-outbox"),
                .product(name: "OutboxTestServers", package: "swift-outbox"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system", condition: .when(platforms: [.linux])),
            ],
            swiftSettings: settings
        ),
    ]
)
