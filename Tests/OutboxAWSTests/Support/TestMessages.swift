import Outbox
import OutboxTesting

@testable import OutboxAWS

/// Messages as if they had been read from an outbox.
func message(_ message: NewMessage) -> Message { MessageBatch([message])[0] }

/// What is wrong with a configuration; empty: nothing.
func complaint(_ body: () throws(TransportConfigurationError) -> Void) -> String {
    do throws(TransportConfigurationError) {
        try body()
        return ""
    } catch {
        return error.description
    }
}
