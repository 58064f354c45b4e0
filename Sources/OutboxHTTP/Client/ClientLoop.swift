import CCurl
import Outbox
import OutboxRuntime

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What the client's thread does: gives libcurl requests, tells it what has become ready, and takes the results.
@safe final class ClientLoop {
    let configuration: HTTPConfiguration
    private let mailbox: ThreadMailbox<HTTPTransfer, Bool>
    private let multi: UnsafeMutableRawPointer?
    private var watch: SocketWatch?
    /// What wakes the thread, once it is watched.
    private var pipe: CInt = -1
    /// When libcurl wants to be called, though nothing has become ready.
    private var alarm: ContinuousClock.Instant?
    private var queues: [String: HostQueue] = [:]
    /// Those under way, in no order.
    private var transfers: [HTTPTransfer] = []
    /// Those that the mailbox need not keep any more.
    private var finished: [HTTPTransfer] = []
    private var idleHandles: [EasyHandle] = []
    /// When something last came from a socket, by its number.
    private var lastHeard: [ContinuousClock.Instant?] = []
    private var arrivals: [HTTPTransfer] = []

    private static let isLibraryReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    init(_ configuration: HTTPConfiguration, _ mailbox: ThreadMailbox<HTTPTransfer, Bool>) {
        self.configuration = configuration
        self.mailbox = mailbox
        unsafe self.multi = Self.isLibraryReady ? curl_multi_init() : nil
        self.watch = SocketWatch()
    }

    func run() {
        guard let multi = unsafe self.multi, self.watch != nil else { return self.mailbox.end() }
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe _ = outbox_curl_multi_set_pointer(multi, CURLMOPT_SOCKETDATA, context)
        unsafe _ = outbox_curl_multi_set_pointer(multi, CURLMOPT_TIMERDATA, context)
        unsafe _ = outbox_curl_multi_set_watcher(multi, watchSocket)
        unsafe _ = outbox_curl_multi_set_timer(multi, setAlarm)
        let (most, requests) = (self.configuration.connectionsPerHost, self.configuration.requestsPerHost)
        // What waits in libcurl for a connection runs into its timeout, so it is not given more than can be sent; and behind a proxy it takes
        // all hosts for one.
        if most < requests, self.configuration.proxy == nil {
            unsafe _ = outbox_curl_multi_set_long(multi, CURLMOPT_MAX_HOST_CONNECTIONS, most)
        }
        unsafe _ = outbox_curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, max(256, 2 * requests))
        unsafe _ = outbox_curl_multi_set_long(
            multi, CURLMOPT_MAX_CONCURRENT_STREAMS, self.configuration.requestsPerHost)
        unsafe self.work(multi)
        for transfer in self.transfers { self.drop(transfer) }
        for queue in self.queues.values { queue.letGo() }
        self.idleHandles = []
        unsafe _ = curl_multi_cleanup(multi)
        self.mailbox.end()
    }

    private func work(_ multi: UnsafeMutableRawPointer) {
        self.mailbox.report(true)
        var events: [SocketWatch.Event] = []
        while true {
            let order = self.mailbox.take(into: &self.arrivals)
            if order == .cancel { return }
            self.admitArrivals()
            // Before it is asked whether the mailbox is idle.
            self.forgetFinished()
            if order == .close, self.mailbox.isIdle { return }
            let isWoken = self.wait(after: order, into: &events)
            var running: CInt = 0
            let now = ContinuousClock.now
            for event in events where event.socket != isWoken {
                if event.isReadable { self.noteHeard(event.socket, now) }
                unsafe _ = curl_multi_socket_action(multi, event.socket, event.mask, &running)
            }
            if let alarm, alarm <= .now {
                self.alarm = nil
                unsafe _ = curl_multi_socket_action(multi, outbox_curl_no_socket, 0, &running)
            }
            unsafe self.collect(multi)
        }
    }

    private func noteHeard(_ socket: CInt, _ now: ContinuousClock.Instant) {
        let index = Int(socket)
        if index >= self.lastHeard.count {
            self.lastHeard += Array(repeating: nil, count: index + 1 - self.lastHeard.count)
        }
        self.lastHeard[index] = now
    }

    /// Once for all that came in a turn of the loop, because it takes a lock.
    private func forgetFinished() {
        if self.finished.isEmpty { return }
        self.mailbox.remove(self.finished)
        self.finished.removeAll(keepingCapacity: true)
    }

    /// - Returns: The descriptor that wakes the thread; what is ready besides is for libcurl.
    private func wait(after order: ThreadMailbox<HTTPTransfer, Bool>.Order, into events: inout [SocketWatch.Event])
        -> CInt
    {
        self.mailbox.sleep(after: order) { descriptor, maySleep in
            self.watchPipe(descriptor)
            self.watch!.wait(maySleep ? self.milliseconds : 0, into: &events)
            return (events.contains { $0.socket == descriptor }, descriptor)
        }
    }

    private func watchPipe(_ descriptor: CInt) {
        if self.pipe == descriptor { return }
        self.pipe = descriptor
        self.watch!.watch(descriptor, forReading: true, forWriting: false)
    }

    /// How long the thread may wait.
    private var milliseconds: CInt {
        var end = self.alarm
        if self.configuration.requestsPerSecondAndHost != nil {
            for queue in self.queues.values {
                if let time = queue.wakeTime { end = min(end ?? time, time) }
            }
        }
        guard let end else { return -1 }
        return CInt(clamping: max(0, Int(((end - .now).seconds * 1000).rounded(.up))))
    }

    // MARK: Beginning

    private func admitArrivals() {
        var touched: [HostQueue] = []
        for transfer in self.arrivals {
            if transfer.recalled != .none {
                self.takeBack(transfer)
            } else if !transfer.isBegun, let origin = transfer.origin {
                // The same host's follow each other most of the time.
                let queue = touched.last?.origin == origin ? touched[touched.count - 1] : self.queue(of: origin)
                queue.append(transfer)
                transfer.queue = queue
                if !queue.isTouched { touched.append(queue) }
                queue.isTouched = true
            }
        }
        self.arrivals.removeAll(keepingCapacity: true)
        for queue in touched {
            queue.isTouched = false
            self.beginNext(queue)
        }
        if self.configuration.requestsPerSecondAndHost != nil {
            for queue in Array(self.queues.values) { self.beginNext(queue) }
        }
    }

    private func queue(of origin: String) -> HostQueue {
        if let queue = self.queues[origin] { return queue }
        let queue = HostQueue(origin, self.configuration)
        self.queues[origin] = queue
        return queue
    }

    private func takeBack(_ transfer: HTTPTransfer) {
        if transfer.easy != nil {
            if transfer.recalled == .unlessBegun { return }
            self.drop(transfer)
            self.finish(transfer, .failure(HTTPFailure(.cancelled, "the request was cancelled", mayHaveArrived: true)))
        } else {
            // It waits for its turn, which it will not have; or it is finished, and only has to be forgotten again.
            let kind = transfer.recalled == .whole ? HTTPFailure.Kind.cancelled : .withdrawn
            self.finished.append(transfer)
            transfer.finish(.failure(HTTPFailure(kind, "the request was taken back before it was sent")))
        }
    }

    private func beginNext(_ queue: HostQueue) {
        while let transfer = queue.next() {
            transfer.isBegun = true
            if let reason = transfer.request.admission?() {
                // Whose turn it is then, this loop asks.
                queue.giveBack()
                transfer.queue = nil
                self.finished.append(transfer)
                transfer.finish(.failure(HTTPFailure(.withdrawn, reason)))
            } else {
                self.begin(transfer)
            }
        }
        // One that was touched is asked again; and what waits in one that is not kept would not be thought of.
        if queue.isIdle, !queue.isTouched { self.queues[queue.origin] = nil }
    }

    private func begin(_ transfer: HTTPTransfer) {
        guard let easy = self.idleHandles.popLast() ?? self.makeHandle() else {
            return self.finish(transfer, .failure(HTTPFailure(.noResources, "no memory")))
        }
        transfer.longestBody = self.configuration.longestResponse
        transfer.loop = self
        transfer.easy = easy
        easy.prepare(transfer)
        transfer.place = self.transfers.count
        self.transfers.append(transfer)
        // The first call on it is asked for by an alarm.
        if unsafe curl_multi_add_handle(self.multi, easy.pointer) != CURLM_OK {
            self.drop(transfer)
            self.finish(transfer, .failure(HTTPFailure(.noResources, "libcurl takes no request")))
        }
    }

    private func makeHandle() -> EasyHandle? {
        unsafe EasyHandle(self.configuration, closer: closeSocket, context: Unmanaged.passUnretained(self).toOpaque())
    }

    // MARK: Ending

    private func collect(_ multi: UnsafeMutableRawPointer) {
        var rest: CInt = 0
        while let message = unsafe curl_multi_info_read(multi, &rest) {
            guard unsafe message.pointee.msg == CURLMSG_DONE, let handle = unsafe message.pointee.easy_handle else {
                continue
            }
            let code = unsafe outbox_curl_result(message)
            var context: UnsafeMutableRawPointer?
            unsafe _ = outbox_curl_pointer(handle, CURLINFO_PRIVATE, &context)
            guard let context = unsafe context else { continue }
            let easy = unsafe Unmanaged<EasyHandle>.fromOpaque(context).takeUnretainedValue()
            guard let transfer = easy.transfer else { continue }
            let isAnswered = code == CURLE_OK || (code == CURLE_WRITE_ERROR && transfer.isCut)
            let result: Result<HTTPResponse, HTTPFailure> =
                isAnswered
                ? .success(
                    HTTPResponse(
                        status: easy.status, headerLines: transfer.headerLines, body: transfer.body,
                        isCut: transfer.isCut))
                : .failure(easy.failure(code, transfer))
            if code == CURLE_OPERATION_TIMEDOUT { self.endConnectionIfSilent(easy) }
            self.drop(transfer)
            self.finish(transfer, result)
        }
    }

    /// A request has timed out. libcurl keeps a connection of HTTP/2 on which that happens, and sends the next requests on it, also where
    /// its path is dead; one on which nothing came since the request began is ended.
    private func endConnectionIfSilent(_ easy: EasyHandle) {
        guard let (socket, duration) = easy.openConnection else { return }
        if Int(socket) < self.lastHeard.count, let heard = self.lastHeard[Int(socket)], heard > .now - duration {
            return
        }
        shutdown(socket, CInt(SHUT_RDWR))
    }

    /// Takes a transfer from libcurl.
    private func drop(_ transfer: HTTPTransfer) {
        guard let easy = transfer.easy else { return }
        unsafe _ = curl_multi_remove_handle(self.multi, easy.pointer)
        easy.release()
        transfer.easy = nil
        transfer.loop = nil
        let last = self.transfers[self.transfers.count - 1]
        last.place = transfer.place
        self.transfers[transfer.place] = last
        self.transfers.removeLast()
        if self.idleHandles.count < 256 { self.idleHandles.append(easy) }
    }

    /// Gives the result of what has had its turn, and the turn to the next.
    private func finish(_ transfer: HTTPTransfer, _ result: Result<HTTPResponse, HTTPFailure>) {
        let queue = transfer.queue
        transfer.queue = nil
        queue?.finish()
        self.finished.append(transfer)
        transfer.finish(result)
        if let queue { self.beginNext(queue) }
    }

    // MARK: What libcurl asks for

    fileprivate func watch(_ socket: curl_socket_t, _ what: CInt) {
        self.watch?.watch(
            socket, forReading: what == CURL_POLL_IN || what == CURL_POLL_INOUT,
            forWriting: what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
    }

    /// A socket that libcurl closes by ``forget(_:)``.
    func know(_ socket: curl_socket_t) { self.watch?.know(socket) }

    fileprivate func forget(_ socket: curl_socket_t) { self.watch?.forget(socket) }

    fileprivate func wake(after milliseconds: Int) {
        self.alarm = milliseconds < 0 ? nil : .now + .milliseconds(milliseconds)
    }
}

private func watchSocket(
    _ easy: UnsafeMutableRawPointer?, _ socket: curl_socket_t, _ what: CInt, _ context: UnsafeMutableRawPointer?,
    _ place: UnsafeMutableRawPointer?
) -> CInt {
    unsafe Unmanaged<ClientLoop>.fromOpaque(context!).takeUnretainedValue().watch(socket, what)
    return 0
}

private func setAlarm(
    _ multi: UnsafeMutableRawPointer?, _ milliseconds: Int, _ context: UnsafeMutableRawPointer?
) -> CInt {
    unsafe Unmanaged<ClientLoop>.fromOpaque(context!).takeUnretainedValue().wake(after: milliseconds)
    return 0
}

private func closeSocket(_ context: UnsafeMutableRawPointer?, _ socket: curl_socket_t) -> CInt {
    unsafe Unmanaged<ClientLoop>.fromOpaque(context!).takeUnretainedValue().forget(socket)
    return close(socket)
}
