import Testing

@testable import Outbox

@Suite(.timeLimit(.minutes(5))) struct RoutePatternTests {
    @Test(arguments: [
        ("user.created", "user.created", true), ("user.created", "user.deleted", false),
        ("user.*", "user.created", true), ("user.*", "user", false), ("user.*", "user.a.b", false),
        ("user.*", "users.created", false), ("user.>", "user.a.b", true), ("user.>", "user", false),
        (">", "anything.at.all", true), ("*", "one", true), ("*", "one.two", false),
        ("*.created", "order.created", true), ("*.created", "order.line.created", false),
        ("order-*", "order-eu", true), ("order-*", "order-", true), ("order-*", "orders", false),
        ("a*b*c", "aXbYbZc", true), ("a*b*c", "acb", false), ("**", "x", true),
        ("user.*", "user.", true), ("", "", true), ("ü.*", "ü.ß", true),
    ]) func matches(pattern: String, route: String, expected: Bool) {
        #expect(RoutePattern(pattern).matches(route) == expected)
    }

    @Test func anExactRouteIsPreferredToAPatternAndAPatternToTheRest() async throws {
        let handler = DestinationHandler.routes(
            [
                "user.*": .batch { _ in [.retry("pattern")] },
                "user.created": .batch { _ in [.retry("exact")] },
            ], otherwise: .batch { _ in [.retry("otherwise")] })
        for (route, expected) in [
            ("user.created", "exact"), ("user.deleted", "pattern"), ("order.created", "otherwise"), (nil, "otherwise"),
        ] as [(String?, String)] {
            guard case .batch(_, _, let body)? = handler.action(for: route)?.action else {
                Issue.record("no closure for the route")
                continue
            }
            #expect(try await body(MessageBatch([])) == [.retry(expected)])
        }
    }
}
