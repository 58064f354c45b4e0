// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that the other examples do not need Hummingbird: scripts/examples --hummingbird builds and tries it.
let package = Package(
    name: "outbox-hummingbird-example",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "swift-outbox", path: "../.."),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
    ],
    targets: [
        .executableTarget(
            name: "Orders",
            dependencies: [
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Outbox", package: "swift-outbox"),
                .product(name: "OutboxPostgres", package: "swift-outbox"),
                .product(name: "OutboxTestServers", package: "swift-outbox"),
            ],
            swiftSettings: [.swiftLanguageMode(.v6)]
        )
    ]
)
