import OutboxPrometheus

/// What a relay's process serves by HTTP, for as long as the process lives: relays follow each other in it.
struct RelayService: Sendable {
    let listener: Listener
    let registry: MetricRegistry
    let looks: DatabaseLooks
    let web: WebPages

    /// Serves until the task is cancelled.
    ///
    /// - Parameter health: How the relay is that runs now.
    func run(_ health: @escaping @Sendable () -> RelayHealth) async {
        let page = MetricsPage(registry: self.registry, looks: self.looks, health: health)
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await self.looks.run() }
            tasks.addTask { await self.web.run() }
            tasks.addTask {
                await self.listener.run(
                    ListenerPages(health: health, metrics: { format in await page(format) }, web: self.web))
            }
            await tasks.waitForAll()
        }
    }
}
