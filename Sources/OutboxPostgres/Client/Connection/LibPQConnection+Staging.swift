internal import CLibPQ
internal import Synchronization

/// Statements that are sent when a notification comes, by the thread that reads it: see
/// ``LibPQConnection/waitForActivity(until:sending:on:)``. Confined to the connection.
struct StagedPipeline {
    let pipeline: SentPipeline
    var parameters: ParameterBuffer
    let isSignal: @Sendable ([LibPQNotification]) -> Bool
    /// The task that waits, among those of ``ActivityState``; nil: none does at the moment.
    var waiter: Int?
    var isSent = false
}

extension LibPQConnection {
    /// As ``waitForActivity(until:)``, with statements that are sent as soon as notifications come that `isSignal` is true of.
    ///
    /// Between a task's wake-up and its next statement lies all the work of deciding which one that is. That is done here before the
    /// wait. The task is resumed when the server has answered.
    ///
    /// - Parameters:
    ///   - deadline: When to return, if nothing happens.
    ///   - statements: What to send. Nothing is sent, as if there were none, where one of them was not used on this connection before, where
    ///     another task uses the connection, and for notifications that have arrived already.
    ///   - isSignal: Whether notifications that have come together are such as to send them for.
    /// - Returns: What has happened, and what was sent: ``finish(_:)`` must follow if anything was.
    /// - Throws: as ``waitForActivity(until:)``.
    package func waitForActivity(
        until deadline: ContinuousClock.Instant?, sending statements: [LibPQStatement],
        on isSignal: @escaping @Sendable ([LibPQNotification]) -> Bool
    ) async throws(LibPQError) -> (Activity, SentPipeline?) {
        guard let ready = try encodeReady(statements) else { return (try await waitForActivity(until: deadline), nil) }
        staged = StagedPipeline(pipeline: ready.pipeline, parameters: ready.parameters, isSignal: isSignal)
        defer { staged = nil }
        let activity = try await waitForActivity(until: deadline, isStaged: true)
        return (activity, staged?.isSent == true ? staged?.pipeline : nil)
    }

    /// Sends what is staged, unless the connection is in use. The task that waits for a notification then waits for the answer instead.
    func sendStaged() {
        guard var staged, let waiter = staged.waiter, !hasToCleanUp, transactionStatus == .idle, turn.takeIfFree() else {
            return
        }
        guard let continuation = activity.remove(waiter) else { return turn.release() }
        // Its memory is not copied for being changed.
        self.staged = nil
        beginExchange(isShielded: false)
        do throws(LibPQError) {
            try transmit(staged.pipeline, &staged.parameters)
            try flush()
        } catch {
            // The connection is lost, which the task finds out.
            continuation.resume()
            return turn.release()
        }
        staged.isSent = true
        self.staged = staged
        exchange.wait(continuation, forResult: true)
        rearm()
    }

    /// The task of a wait was cancelled.
    func cancelWait(_ id: Int) {
        activity.resume(id)
        if let staged, staged.isSent, staged.waiter == id { cancelExchange(exchange.id) }
    }
}
