import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Closes connections whose ``ConnectionDeadline`` has passed.
///
/// It is used on the event loop of its connection alone.
final class ConnectionDeadlineHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private var state: ConnectionDeadline
    private var timer: Scheduled<Void>?
    private let clock = ContinuousClock()

    init(_ limits: ListenerLimits) {
        self.state = ConnectionDeadline(limits, now: self.clock.now)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.schedule(context) }

    func handlerRemoved(context: ChannelHandlerContext) { self.timer?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head(let head) = self.unwrapInboundIn(data) {
            self.state.requestBegins(hasBody: head.hasBody, now: self.clock.now)
            self.schedule(context)
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let part = self.unwrapOutboundIn(data)
        if case .head(let head) = part, head.headerFields[.connection]?.lowercased() == "close" {
            self.state.answerIsLast()
        }
        guard case .end = part else { return context.write(data, promise: promise) }
        // It has been sent when the kernel has taken it, which is when the client reads.
        let promise = promise ?? context.eventLoop.makePromise()
        promise.futureResult.assumeIsolated().whenSuccess { self.answerEnded(context) }
        context.write(data, promise: promise)
    }

    private func answerEnded(_ context: ChannelHandlerContext) {
        if self.state.answerEnds(now: self.clock.now) { context.close(mode: .output, promise: nil) }
        self.schedule(context)
    }

    private func schedule(_ context: ChannelHandlerContext) {
        self.timer?.cancel()
        let rest = self.state.deadline - self.clock.now
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(in: .init(rest)) {
            if self.state.isOver(self.clock.now) { context.close(promise: nil) } else { self.schedule(context) }
        }
    }
}

@available(*, unavailable)
extension ConnectionDeadlineHandler: Sendable {}

extension HTTPRequest {
    /// Whether something follows its head.
    var hasBody: Bool {
        if self.headerFields[.transferEncoding] != nil { return true }
        return self.headerFields[.contentLength].map { $0 != "0" } ?? false
    }
}
