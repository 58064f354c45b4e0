import Outbox
import OutboxRuntime

/// What `outbox relay --check-config` prints.
enum PlanOutput {
    /// A line for each route, with what becomes of its messages, in the order in which they are looked at.
    static func print(_ plan: RelayPlan, file: String?, on terminal: Terminal = .output) {
        var table = Table(
            ("DESTINATION", .left), ("TO", .left), ("CONCURRENCY", .right), ("ATTEMPTS", .right), ("ORDER", .left))
        for route in plan.routes {
            let kind: DeliverySettings.Kind =
                switch route.sink {
                case .exec, .discard: .message
                case .stdout, .file, .broker: .batch
                }
            let settings = plan.delivery(of: route)
            let resolved = settings.resolved(for: kind)
            table.add(
                route.destination ?? "*", route.sink.kindName, String(settings.concurrency ?? 4),
                String(resolved.retry.maximumAttempts), resolved.ordering == .byKey ? "key" : "none")
        }
        table.print()
        for remark in plan.remarks { Terminal.error.print(remark) }
        let count = plan.routes.count == 1 ? "1 route" : "\(plan.routes.count) routes"
        terminal.print("\(file.map { "\($0.plain()): " } ?? "")nothing is wrong, \(count)")
    }
}
