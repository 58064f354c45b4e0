package import Outbox

extension AMQPConfiguration {
    /// Refuses what cannot be used, or does not go together.
    ///
    /// - Throws: What is wrong and what would be right, without credentials.
    package func validate() throws(TransportConfigurationError) {
        try self.validateHosts()
        try self.validateTopology()
        try self.validatePublishing()
        try self.validateLimits()
    }

    private func validateHosts() throws(TransportConfigurationError) {
        try require(!self.hosts.isEmpty, "there is no host")
        for host in self.hosts {
            try require(!host.name.isEmpty && !host.name.utf8.contains(0), "a host has no name")
            try require(host.port.map { (1...65535).contains($0) } ?? true, "a port is a number from 1 to 65535")
        }
        try require(!self.virtualHost.isEmpty, "the virtual host has no name; the default one is “/”")
        try Self.requireShort(self.virtualHost, "the virtual host")
        if let defect = self.tls?.defect { throw TransportConfigurationError("RabbitMQ: \(defect)") }
        switch self.credentials.kind {
        case .password(let user, let password):
            try require(!user.utf8.contains(0) && !password.utf8.contains(0), "user and password contain no NUL")
        case .certificate:
            try require(
                self.tls?.certificateFile != nil,
                "credentials from a certificate need TLS with a certificate and its key")
        }
    }

    private func validateTopology() throws(TransportConfigurationError) {
        try Self.requireShort(self.exchange.name, "the exchange’s name")
        if let declaration = self.exchange.declaration {
            try require(!self.exchange.name.isEmpty, "the default exchange cannot be declared; give it a name")
            try require(!declaration.type.isEmpty, "the exchange’s type is empty")
            try Self.requireShort(declaration.type, "the exchange’s type")
            try require(
                !self.exchange.delaysMessages || declaration.arguments["x-delayed-type"] != nil,
                "an exchange of type x-delayed-message needs the argument x-delayed-type, the type by which it routes in the end"
                    + " (exchange.x-delayed-type=direct)")
            try require(!declaration.isInternal, "an internal exchange takes no messages from clients")
        }
        for queue in self.queues {
            try require(!queue.name.isEmpty, "a queue has no name")
            try Self.requireShort(queue.name, "a queue’s name")
            for key in queue.bindingKeys { try Self.requireShort(key, "a binding key") }
            try require(
                queue.bindingKeys.isEmpty || !self.exchange.name.isEmpty,
                "on the default exchange a queue is bound by its name; leave the binding keys out")
        }
    }

    private func validatePublishing() throws(TransportConfigurationError) {
        try require(
            self.publishing.messageID.text.contains("{id}"),
            "the message id must contain {id}, by which returned messages are recognised")
        try require(
            !self.exchange.name.isEmpty || self.publishing.routingKey.constant != "",
            "on the default exchange the routing key is the queue’s name, and cannot be empty")
        if let key = self.publishing.routingKey.constant { try Self.requireShort(key, "the routing key") }
        if let type = self.publishing.contentType { try Self.requireShort(type, "the content type") }
        if let application = self.publishing.applicationID { try Self.requireShort(application, "the application id") }
        if let expiration = self.publishing.expiration {
            try require(expiration >= .zero && expiration < .seconds(4_294_967), "the expiration is from 0 to 49 days")
        }
        try require(self.publishing.maximumMessageSize > 0, "the maximum message size is at least 1")
    }

    private func validateLimits() throws(TransportConfigurationError) {
        try require((1...1_000_000).contains(self.confirms.window), "the window is from 1 to 1,000,000 messages")
        try require(self.confirms.timeout > .zero, "the confirm timeout is more than nothing")
        let connection = self.connection
        try require(
            connection.timeout > .zero && connection.timeout <= .seconds(3600), "the connect timeout is at most an hour"
        )
        try require(
            connection.heartbeat == .zero || (.seconds(1)...(.seconds(65535))).contains(connection.heartbeat),
            "the heartbeat is zero, or from 1 s to 65,535 s")
        try require((4096...131_072).contains(connection.frameSize), "the frame size is from 4,096 to 131,072 bytes")
        try require(
            connection.initialDelay > .zero && connection.initialDelay <= connection.maximumDelay,
            "the first delay is more than nothing, and at most the longest")
    }

    private func require(_ condition: Bool, _ complaint: String) throws(TransportConfigurationError) {
        if !condition { throw TransportConfigurationError("RabbitMQ: \(complaint)") }
    }

    private static func requireShort(_ text: String, _ what: String) throws(TransportConfigurationError) {
        if text.utf8.count > 255 { throw TransportConfigurationError("RabbitMQ: \(what) has more than 255 bytes") }
        if text.utf8.contains(0) { throw TransportConfigurationError("RabbitMQ: \(what) contains a NUL") }
    }
}
