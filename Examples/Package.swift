// swift-tools-version: 6.2
import PackageDescription

var settings: [SwiftSetting] = [.swiftLanguageMode(.v6)]
if Context.environment["OUTBOX_WARNINGS_AS_ERRORS"] != nil {
    settings.append(.treatAllWarnings(as: .error))
}

let package = Package(
    name: "outbox-examples",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "swift-outbox", path: ".."),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.1"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .executableTarget(
            name: "Smallest",
            dependencies: [
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Outbox", package: "swift-outbox"),
                .product(name: "OutboxPostgres", package: "swift-outbox"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "Shop",
            dependencies: [
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Outbox", package: "swift-outbox"),
                .product(name: "OutboxAMQP", package: "swift-outbox"),
                .product(name: "OutboxKafka", package: "swift-outbox"),
                .product(name: "OutboxPostgres", package: "swift-outbox"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "OrderService",
            dependencies: [
                .product(name: "FlyingFox", package: "FlyingFox"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Outbox", package: "swift-outbox"),
                .product(name: "OutboxPostgres", package: "swift-outbox"),
                .product(name: "OutboxTestServers", package: "swift-outbox"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "CustomDestination",
            dependencies: [
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Outbox", package: "swift-outbox"),
                .product(name: "OutboxTesting", package: "swift-outbox"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "RabbitMQ",
            dependencies: [
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Outbox", package: "swift-outbox"),
                .product(name: "OutboxAMQP", package: "swift-outbox"),
                .product(name: "OutboxTestServers", package: "swift-outbox"),
                .product(name: "OutboxTesting", package: "swift-outbox"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "Kafka",
            dependencies: [
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Outbox", package: "swift-outbox"),
                .product(name: "OutboxKafka", package: "swift-outbox"),
                .product(name: "OutboxTesting", package: "swift-outbox"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "AWS",
            dependencies: [
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Outbox", package: "swift-outbox"),
                .product(name: "OutboxAWS", package: "swift-outbox"),
                .product(name: "OutboxTesting", package: "swift-outbox"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "PubSub",
            dependencies: [
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Outbox", package: "swift-outbox"),
                .product(name: "OutboxPubSub", package: "swift-outbox"),
                .product(name: "OutboxTesting", package: "swift-outbox"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "Webhooks",
            dependencies: [
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Outbox", package: "swift-outbox"),
                .product(name: "OutboxTesting", package: "swift-outbox"),
                .product(name: "OutboxWebhook", package: "swift-outbox"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "RedisStreams",
            dependencies: [
                .product(name: "FlyingSocks", package: "FlyingFox"),
                .product(name: "Outbox", package: "swift-outbox"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "BusTransport",
            dependencies: [.product(name: "Outbox", package: "swift-outbox")],
            swiftSettings: settings
        ),
        .testTarget(
            name: "BusTransportTests",
            dependencies: [
                "BusTransport",
                .product(name: "Outbox", package: "swift-outbox"),
                .product(name: "OutboxTesting", package: "swift-outbox"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "RedisStreamsTests",
            dependencies: [
                "RedisStreams",
                .product(name: "FlyingSocks", package: "FlyingFox"),
                .product(name: "Outbox", package: "swift-outbox"),
                .product(name: "OutboxTesting", package: "swift-outbox"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "OrderServiceTests",
            dependencies: [
                "OrderService",
                .product(name: "Outbox", package: "swift-outbox"),
                .product(name: "OutboxPostgres", package: "swift-outbox"),
                .product(name: "OutboxTestServers", package: "swift-outbox"),
                .product(name: "OutboxTesting", package: "swift-outbox"),
            ],
            swiftSettings: settings
        ),
    ]
)
