import CCurl

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

// libcurl calls these while it works on a handle; the context is the handle's owner, which has a transfer then.

private func transfer(_ context: UnsafeMutableRawPointer?) -> HTTPTransfer? {
    unsafe Unmanaged<EasyHandle>.fromOpaque(context!).takeUnretainedValue().transfer
}

func receiveHeader(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    unsafe transfer(context)?.receive(header: UnsafeRawBufferPointer(start: bytes, count: size * count))
    return size * count
}

func receiveBody(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    let isMoreWanted = unsafe transfer(context)?
        .receive(body: UnsafeRawBufferPointer(start: bytes, count: size * count))
    return isMoreWanted == true ? size * count : outbox_curl_refuse
}

/// Makes a socket for an address, unless the address is one that is not connected to.
func openSocket(
    _ context: UnsafeMutableRawPointer?, _ purpose: curlsocktype, _ address: UnsafeMutablePointer<curl_sockaddr>?
) -> curl_socket_t {
    guard let pointer = unsafe address, let transfer = unsafe transfer(context) else { return outbox_curl_no_socket }
    let policy = transfer.loop?.configuration.addresses ?? .any
    if policy != .any {
        // The structure is longer than its type says where the address is.
        let place = unsafe UnsafeRawPointer(pointer) + MemoryLayout<curl_sockaddr>.offset(of: \.addr)!
        let address = unsafe SocketAddress(UnsafeRawBufferPointer(start: place, count: Int(pointer.pointee.addrlen)))
        if let refusal = policy.refusal(of: address, host: transfer.request.host ?? "") {
            transfer.refusal = refusal
            return outbox_curl_no_socket
        }
    }
    let address = unsafe pointer.pointee
    #if canImport(Darwin)
    let number = socket(address.family, address.socktype, address.protocol)
    if number >= 0 { _ = fcntl(number, F_SETFD, FD_CLOEXEC) }
    #else
    let number = socket(address.family, address.socktype | Int32(SOCK_CLOEXEC.rawValue), address.protocol)
    #endif
    if number >= 0 {
        transfer.loop?.know(number)
        transfer.hasTriedAddress = true
    } else {
        transfer.isOutOfDescriptors = errno == EMFILE || errno == ENFILE
    }
    return number
}
