import Outbox
import Testing

/// What would have no effect is refused when the program begins, not dropped.
@Suite(.timeLimit(.minutes(5))) struct MisplacedSettingsTests {
    @Test func aPatternAsADestination() async {
        await #expect(processExitsWith: .failure) { let _: RelayRoutes = ["*": .handler { _ in }] }
        await #expect(processExitsWith: .failure) {
            var routes = RelayRoutes()
            routes["*"] = .handler { _ in }
        }
    }

    @Test func settingsInsideOfRoutes() async {
        await #expect(processExitsWith: .failure) {
            _ = DestinationHandler.routes(["r": .handler(retry: .never) { _ in }])
        }
        await #expect(processExitsWith: .failure) {
            _ = DestinationHandler.routes(["r": .handler(maximumRate: 2) { _ in }])
        }
        await #expect(processExitsWith: .failure) {
            _ = DestinationHandler.routes([:], otherwise: .batch(concurrency: 2) { $0.map { _ in .delivered } })
        }
        await #expect(processExitsWith: .failure) {
            _ = DestinationHandler.routes(["r": .routes(["s": .handler { _ in }])])
        }
        await #expect(processExitsWith: .failure) {
            _ = DestinationHandler.routes([:], settings: DeliverySettings(timeout: .seconds(1)))
        }
        await #expect(processExitsWith: .success) {
            _ = DestinationHandler.routes(
                [
                    "r": .handler(timeout: .seconds(1)) { _ in },
                    "s": .batch(maximumCount: 7) { $0.map { _ in .delivered } },
                ],
                settings: DeliverySettings(retry: .never))
        }
    }

    @Test func timesThatCannotBe() async {
        await #expect(processExitsWith: .failure) { _ = DestinationHandler.handler(timeout: .zero) { _ in } }
    }
}
