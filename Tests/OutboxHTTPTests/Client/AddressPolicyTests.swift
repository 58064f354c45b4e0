import OutboxRuntime
import Testing

@testable import OutboxHTTP

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

@Suite(.timeLimit(.minutes(5))) struct AddressPolicyTests {
    /// The first and the last of each block, and the neighbours of it that belong to nothing special.
    @Test(arguments: [
        ("8.8.8.8", AddressClass.global), ("1.1.1.1", .global), ("9.255.255.255", .global), ("11.0.0.0", .global),
        ("0.0.0.0", .unspecified), ("0.255.255.255", .unspecified), ("1.0.0.0", .global),
        ("10.0.0.0", .privateUse), ("10.255.255.255", .privateUse),
        ("172.15.255.255", .global), ("172.16.0.0", .privateUse), ("172.31.255.255", .privateUse),
        ("172.32.0.0", .global),
        ("192.167.255.255", .global), ("192.168.0.0", .privateUse), ("192.168.255.255", .privateUse),
        ("192.169.0.0", .global),
        ("100.63.255.255", .global), ("100.64.0.0", .carrierGradeNAT), ("100.127.255.255", .carrierGradeNAT),
        ("100.128.0.0", .global), ("100.100.100.200", .metadata),
        ("126.255.255.255", .global), ("127.0.0.1", .loopback), ("127.255.255.255", .loopback), ("128.0.0.0", .global),
        ("169.253.255.255", .global), ("169.254.0.0", .linkLocal), ("169.254.255.255", .linkLocal),
        ("169.255.0.0", .global), ("169.254.169.254", .metadata), ("169.254.170.2", .metadata),
        ("168.63.129.16", .metadata), ("168.63.129.17", .global),
        ("192.0.0.1", .reserved), ("192.0.0.192", .metadata), ("192.0.1.0", .global), ("192.0.2.1", .documentation),
        ("192.88.99.1", .reserved), ("198.17.255.255", .global), ("198.18.0.0", .benchmarking),
        ("198.19.255.255", .benchmarking), ("198.20.0.0", .global),
        ("198.51.100.7", .documentation), ("203.0.113.255", .documentation),
        ("223.255.255.255", .global), ("224.0.0.0", .multicast), ("239.255.255.255", .multicast),
        ("240.0.0.0", .reserved), ("255.255.255.254", .reserved), ("255.255.255.255", .broadcast),
    ])
    func ipv4(_ text: String, _ kind: AddressClass) throws {
        let address = try #require(IPAddress(text))
        #expect(address.classification == kind && address.description == text)
        #expect(IPAddress("::ffff:\(text)") == address)
        // A translator of IPv6 leads to the same network.
        let last = text.split(separator: ".").compactMap { UInt32($0) }.reduce(0) { $0 << 8 | $1 }
        let hexadecimal = "\(String(last >> 16, radix: 16)):\(String(last & 0xffff, radix: 16))"
        #expect(try #require(IPAddress("64:ff9b::\(text)")).classification == kind)
        #expect(try #require(IPAddress("2002:\(hexadecimal)::1")).classification == kind)
        let client = "\(String(~last >> 16, radix: 16)):\(String(~last & 0xffff, radix: 16))"
        #expect(try #require(IPAddress("2001:0:808:808:0:0:\(client)")).classification == kind)
        #expect(try #require(IPAddress("2001:0:\(hexadecimal):0:0:f7f7:f7f7")).classification == kind)
        #expect(try #require(IPAddress("2a00:1::5efe:\(hexadecimal)")).classification == kind)
        // These two lead nowhere by themselves.
        let compatible = try #require(IPAddress("::ffff:0:\(text)")).classification
        #expect(compatible == (kind == .global ? .reserved : kind))
        #expect(try #require(IPAddress("::\(text)")).classification != .global)
    }

    @Test(arguments: [
        ("::", AddressClass.unspecified), ("::1", .loopback), ("::2", .unspecified), ("::7f00:1", .loopback),
        ("::a00:1", .privateUse),
        ("fe7f::1", .reserved), ("fe80::", .linkLocal), ("fe80::1", .linkLocal), ("febf:ffff::", .linkLocal),
        ("fec0::1", .uniqueLocal), ("fbff::", .reserved), ("fc00::", .uniqueLocal), ("fdff::1", .uniqueLocal),
        ("fe00::", .reserved), ("fd00:ec2::254", .metadata), ("fd00:ec2::253", .uniqueLocal),
        ("fd20:ce::254", .metadata),
        ("ff02::1", .multicast), ("2001:db8::1", .documentation), ("2001:db9::1", .global), ("3fff::1", .documentation),
        ("3fff:1000::1", .global), ("2001:2::1", .benchmarking), ("2001:10::1", .reserved), ("2001:20::1", .reserved),
        ("100::1", .reserved), ("5f00::1", .reserved), ("4000::1", .reserved), ("64:ff9b:1::1", .privateUse),
        ("2606:4700::1111", .global), ("2a00:1450:4001::5efe", .global), ("2002:7f00:1::", .loopback),
    ])
    func ipv6(_ text: String, _ kind: AddressClass) throws {
        #expect(try #require(IPAddress(text)).classification == kind)
    }

    @Test(arguments: [
        "", "127.1", "0x7f.0.0.1", "0177.0.0.1", "2130706433", "127.0.0.1 ", "::1%lo", "[::1]", "1.2.3.4.5",
        "localhost",
        "::ffff:1.2.3", "256.0.0.1",
    ])
    func whatIsNoAddress(_ text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func addressesOfSockets() throws {
        var ipv4 = sockaddr_in()
        ipv4.sin_family = sa_family_t(AF_INET)
        ipv4.sin_port = UInt16(443).bigEndian
        ipv4.sin_addr.s_addr = UInt32(0x0a01_0203).bigEndian
        let first = unsafe withUnsafeBytes(of: ipv4) { bytes in unsafe SocketAddress(bytes) }
        #expect(first?.description == "10.1.2.3:443" && first?.classification == .privateUse)

        var ipv6 = sockaddr_in6()
        ipv6.sin6_family = sa_family_t(AF_INET6)
        ipv6.sin6_port = UInt16(80).bigEndian
        unsafe inet_pton(AF_INET6, "::ffff:127.0.0.1", &ipv6.sin6_addr)
        let mapped = unsafe withUnsafeBytes(of: ipv6) { bytes in unsafe SocketAddress(bytes) }
        #expect(mapped?.description == "127.0.0.1:80" && mapped?.classification == .loopback)
        unsafe inet_pton(AF_INET6, "fe80::7", &ipv6.sin6_addr)
        let linkLocal = unsafe withUnsafeBytes(of: ipv6) { bytes in unsafe SocketAddress(bytes) }
        #expect(linkLocal?.description == "[fe80::7]:80" && linkLocal?.classification == .linkLocal)
        // One that is cut off, and one of another family.
        let short = unsafe withUnsafeBytes(of: ipv6) { bytes in
            unsafe SocketAddress(UnsafeRawBufferPointer(rebasing: bytes.prefix(20)))
        }
        #expect(short == nil)
        var unix = sockaddr_un()
        unix.sun_family = sa_family_t(AF_UNIX)
        let other = unsafe withUnsafeBytes(of: unix) { bytes in unsafe SocketAddress(bytes) }
        #expect(other == nil)
    }

    @Test func onlyTheInternetAndExceptions() throws {
        func refusal(_ address: String, _ host: String = "hooks.example", except: [String] = []) throws -> String? {
            let policy = AddressPolicy.publicOnly(except: try except.map { try AllowedAddress($0) })
            return policy.refusal(of: SocketAddress(try #require(IPAddress(address)), port: 443), host: host)
        }
        #expect(try refusal("93.184.216.34") == nil)
        let reason = try refusal("169.254.169.254")
        #expect(
            reason
                == "hooks.example has the address 169.254.169.254 (a metadata service), and only addresses of the Internet"
                + " and those that are allowed by name, address or block are connected to")
        #expect(try refusal("10.1.2.3", except: ["10.0.0.0/8"]) == nil)
        #expect(try refusal("11.1.2.3", except: ["10.0.0.0/8"]) == nil)
        #expect(try refusal("10.1.2.3", except: ["10.1.2.0/24", "::1"]) == nil)
        #expect(try refusal("10.1.3.3", except: ["10.1.2.0/24", "::1"]) != nil)
        #expect(try refusal("::1", except: ["10.1.2.0/24", "[::1]"]) == nil)
        #expect(try refusal("127.0.0.1", except: ["::1"]) != nil)
        #expect(try refusal("10.1.2.3", except: ["Hooks.Example."]) == nil)
        #expect(try refusal("10.1.2.3", "other.example", except: ["hooks.example"]) != nil)
        #expect(try refusal("10.1.2.3", "a.hooks.example", except: ["hooks.example"]) != nil)
        #expect(try refusal("127.0.0.1", "LOCALHOST", except: ["localhost"]) == nil)
        // An exception for a network is none for a translator to it.
        #expect(try refusal("64:ff9b::10.1.2.3", except: ["10.0.0.0/8"]) != nil)
        #expect(try refusal("fd00::7", except: ["0.0.0.0/0"]) != nil && refusal("fd00::7", except: ["::/0"]) == nil)
        #expect(AddressPolicy.any.refusal(of: nil, host: "a") == nil)
        #expect(AddressPolicy.publicOnly().refusal(of: nil, host: "a") != nil)
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.0.0.0/8"), ("10.1.2.3", "10.1.2.3"), ("10.1.2.3/32", "10.1.2.3"), ("FD00::/8", "fd00::/8"),
        ("[::1]", "::1"), ("::ffff:10.0.0.0/104", "10.0.0.0/8"), ("Hooks.Internal.", "hooks.internal"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ])
    func exceptions(_ text: String, _ description: String) throws {
        #expect(try AllowedAddress(text).description == description)
    }

    @Test(arguments: [
        "", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.1/8", "fd00::/129", "127.1", "0x7f.1",
        "a b", "a/8",
        "*.example", "http://a", "::ffff:10.0.0.0/8", "a..b", ".",
    ])
    func whatIsNoException(_ text: String) {
        #expect(throws: InvalidText.self) { try AllowedAddress(text) }
    }
}
