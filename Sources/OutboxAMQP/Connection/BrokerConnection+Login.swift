import CRabbitMQ
import Outbox

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension BrokerConnection {
    /// The name that `EXTERNAL` gives beside the certificate. RabbitMQ does not look at it; an empty one is a lack of memory to
    /// librabbitmq (until its pull request 900).
    private static let nameBesideCertificate = "-"

    /// Logs in, and negotiates the connection's limits.
    static func logIn(
        _ state: amqp_connection_state_t, _ configuration: AMQPConfiguration, _ arena: inout ByteArena
    ) throws(ConnectionLoss) {
        let connection = configuration.connection
        var timeout = timeval(connection.timeout)
        try check(unsafe amqp_set_handshake_timeout(state, &timeout))
        try check(unsafe amqp_set_rpc_timeout(state, &timeout))
        // The library itself announces that it understands a refusal; without the others the broker does not send them.
        let capabilities = unsafe arena.table([
            (name: "publisher_confirms", value: arena.value(.flag(true))),
            (name: "basic.nack", value: arena.value(.flag(true))),
            (name: "connection.blocked", value: arena.value(.flag(true))),
        ])
        var properties = unsafe arena.table([
            (name: "connection_name", value: arena.value(.text(connection.name))),
            (name: "product", value: arena.value(.text("swift-outbox"))),
            (name: "capabilities", value: arena.tableValue(capabilities)),
        ])
        let frameSize = CInt(connection.frameSize)
        let heartbeat = CInt(connection.heartbeat.components.seconds)
        let reply =
            switch configuration.credentials.kind {
            case .password(let user, let password):
                unsafe outbox_amqp_login_plain(
                    state, configuration.virtualHost, frameSize, heartbeat, &properties, user, password)
            case .certificate:
                unsafe outbox_amqp_login_external(
                    state, configuration.virtualHost, frameSize, heartbeat, &properties, self.nameBesideCertificate)
            }
        if unsafe reply.reply_type == AMQP_RESPONSE_NORMAL { return }
        if unsafe reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION {
            throw self.refusal(unsafe reply.library_error, configuration)
        }
        throw unsafe Self.loss(reply, state)
    }

    /// What the library says about a login that the broker has not answered, with what is likely to be behind it.
    private static func refusal(_ status: CInt, _ configuration: AMQPConfiguration) -> ConnectionLoss {
        let loss = ConnectionLoss(status: status)
        switch status {
        case AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD.rawValue:
            guard case .certificate = configuration.credentials.kind else {
                return ConnectionLoss(reason: "the broker takes no passwords here: it does not offer PLAIN")
            }
            return ConnectionLoss(
                reason: "the broker accepts no login by certificate here: it does not offer EXTERNAL"
                    + " (rabbitmq_auth_mechanism_ssl and auth_mechanisms)")
        case AMQP_STATUS_SSL_ERROR.rawValue, AMQP_STATUS_SOCKET_ERROR.rawValue, AMQP_STATUS_CONNECTION_CLOSED.rawValue,
            AMQP_STATUS_BAD_AMQP_DATA.rawValue, AMQP_STATUS_INCOMPATIBLE_AMQP_VERSION.rawValue:
            // From TLS 1.3 on a client has connected before the broker looks at its certificate.
            guard let tls = configuration.tls else {
                return ConnectionLoss(
                    reason:
                        "\(loss.reason) before the login; it may be that the port is one for TLS (amqps://), or no broker’s"
                )
            }
            let hint = tls.certificateFile == nil ? "wants a client’s certificate" : "does not trust the client’s certificate"
            return ConnectionLoss(reason: "\(loss.reason) before the login; it may be that the broker \(hint)")
        default:
            return loss
        }
    }
}
