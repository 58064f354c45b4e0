/// The notifications of a channel, from the moment in which the server began to listen.
///
/// The sequence ends when its task is cancelled, ``LibPQConnection/close()`` is called or the connection has gone back to a pool, and throws ``LibPQError/Code/connectionLost``
/// when the connection is lost. It reads from the connection only while a task awaits the next element; other tasks' statements on
/// the same connection run meanwhile. Several iterators share the notifications. Once the sequence and its iterators are gone, the connection
/// stops listening, before its next statement.
///
/// Notifications that arrive while no task awaits them are kept, at most 65,536 of them; then the oldest are dropped.
package struct LibPQNotifications: AsyncSequence, Sendable {
    /// A notification of the channel.
    package typealias Element = LibPQNotification
    /// Why listening ended.
    package typealias Failure = LibPQError

    let subscription: Subscription

    /// Begins to iterate.
    package func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(subscription: subscription)
    }

    /// Awaits one notification after the other.
    package struct AsyncIterator: AsyncIteratorProtocol, Sendable {
        let subscription: Subscription

        /// The next notification.
        package func next() async throws(LibPQError) -> LibPQNotification? {
            try await subscription.connection.nextNotification(for: subscription.id)
        }

        /// The next notification.
        package func next(isolation actor: isolated (any Actor)?) async throws(LibPQError) -> LibPQNotification? {
            try await subscription.connection.nextNotification(for: subscription.id)
        }
    }

    /// Lives as long as an iterator can ask for the next notification.
    final class Subscription: Sendable {
        let connection: LibPQConnection
        let id: Int

        init(connection: LibPQConnection, id: Int) {
            self.connection = connection
            self.id = id
        }

        deinit {
            connection.loop.execute { [connection, id] in
                connection.assumeIsolated { $0.activity.unsubscribe(id) }
            }
        }
    }
}

extension LibPQConnection {
    /// Listens on a channel. In a transaction, listening begins when it commits.
    ///
    /// - Parameter channel: any name of 1 to 63 bytes, as it is: without folding to lowercase.
    /// - Throws: ``LibPQError/Code/invalidValue`` for a name that cannot be a channel; otherwise as ``query(_:)``.
    package func notifications(on channel: String) async throws(LibPQError) -> LibPQNotifications {
        guard (1...63).contains(channel.utf8.count), !channel.utf8.contains(0) else {
            throw LibPQError(.invalidValue, "the name of a channel has 1 to 63 bytes and no character U+0000")
        }
        let subscription = LibPQNotifications.Subscription(connection: self, id: nextID())
        activity.subscribe(subscription.id, to: channel)
        try await query("LISTEN \(unescaped: SQLIdentifier(channel).quoted)")
        return LibPQNotifications(subscription: subscription)
    }

    fileprivate func nextNotification(for subscription: Int) async throws(LibPQError) -> LibPQNotification? {
        while true {
            if let notification = activity.takeNext(for: subscription) { return notification }
            if isClosed || Task.isCancelled || !activity.isSubscribed(subscription) { return nil }
            if let loss { throw loss }
            await waitUntilSomethingHappens(until: nil)
        }
    }
}
