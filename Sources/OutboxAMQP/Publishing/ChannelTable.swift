/// A message that is published and not confirmed.
struct Unconfirmed {
    let job: DeliveryJob
    let index: Int
    /// Whether every message of its destination goes where it was sent.
    let isAddressFixed: Bool
    let delay: Delay
    let since: ContinuousClock.Instant
}

/// The channels of a connection: one for the exchange of the configuration, and one for each that messages have named lately,
/// so that an exchange that is missing takes only its own messages with it.
struct ChannelTable {
    struct Channel {
        let number: UInt16
        var exchange: String
        var isOpen = false
        var window = ConfirmWindow<Unconfirmed>()
        /// Whether the exchange was declared again, and nothing was confirmed or given up since.
        var isRedeclared = false
        var lastUse: UInt64 = 0

        /// Whether the exchange was named by messages.
        var isOverride: Bool { self.number != ChannelTable.configured }
    }

    /// The number of the channel for the exchange of the configuration.
    static let configured: UInt16 = 1
    /// How many there are, if not more of them are in use.
    static let usualCount = 32

    private(set) var channels: [Channel] = []
    private var numbers: [String: UInt16] = [:]
    private var uses: UInt64 = 0

    subscript(number: UInt16) -> Channel {
        _read { yield self.channels[Int(number) - 1] }
        _modify { yield &self.channels[Int(number) - 1] }
    }

    func contains(_ number: UInt16) -> Bool { number > 0 && Int(number) <= self.channels.count }

    /// What has to be done before a channel can be used.
    enum Lookup: Equatable {
        case found(UInt16)
        /// It is open for another exchange, which has to give way.
        case reuse(UInt16)
    }

    /// The channel for an exchange, which is open or not.
    mutating func lookUp(_ exchange: String) -> Lookup {
        self.uses += 1
        if let number = self.numbers[exchange] {
            self[number].lastUse = self.uses
            return .found(number)
        }
        let idle = self.channels.filter { $0.isOverride && $0.window.count == 0 }.min { $0.lastUse < $1.lastUse }
        if self.channels.count >= Self.usualCount, let idle {
            let wasOpen = idle.isOpen
            self.numbers[idle.exchange] = nil
            self.numbers[exchange] = idle.number
            self[idle.number] = Channel(number: idle.number, exchange: exchange, isOpen: wasOpen, lastUse: self.uses)
            return wasOpen ? .reuse(idle.number) : .found(idle.number)
        }
        let number = UInt16(self.channels.count + 1)
        self.channels.append(Channel(number: number, exchange: exchange, lastUse: self.uses))
        self.numbers[exchange] = number
        return .found(number)
    }
}
