import Outbox
import OutboxRuntime

/// Where deliveries and the transport's thread meet.
typealias Mailbox = ThreadMailbox<DeliveryJob, TransportHealth>

/// A batch whose outcomes a task waits for.
//
// Sendable because what is not synchronised is used by the transport's thread only.
final class DeliveryJob: MailboxJob, @unchecked Sendable {
    let batch: MessageBatch
    /// The outcomes.
    let answer = Answer<[Outcome]>()

    // From here on: the transport's thread only.

    var schedule: BatchSchedule
    /// Whether it is in line for sending.
    var isInLine = false
    /// How many of its messages are to be sent one by one, because one of them may have closed a channel.
    var suspects = 0

    init(_ batch: MessageBatch, keyOrder: BatchSchedule.KeyOrder) {
        self.batch = batch
        self.schedule = BatchSchedule(batch, keyOrder: keyOrder)
    }

    /// Gives all messages the same outcome, unless they have outcomes; from any thread.
    func end(all outcome: Outcome) {
        self.answer.give(.success(Array(repeating: outcome, count: self.batch.count)))
    }

    func end(_ reason: MailboxEnd) {
        switch reason {
        case .closed: self.end(all: .unavailable("the transport is closed"))
        case .cancelled: self.end(all: .unavailable("the transport was cancelled"))
        }
    }
}

extension ThreadMailbox {
    /// Notes the socket that the thread may be blocked in, which a cancelled run shuts down; -1: there is none.
    func use(socket: CInt) {
        if socket < 0 {
            self.interrupt(by: nil)
        } else {
            self.interrupt { SocketState.shutDown(socket) }
        }
    }
}
