internal import NIOCore

/// Lets no more bytes of a connection through than a request may have; the rest is thrown away, and at last the connection.
final class ByteLimit: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    struct Exceeded: Error {}

    /// The most bytes of a request, and the most that are taken in at all.
    static let (mostBytes, mostDiscarded) = (16 << 10, 1 << 20)

    private var received = 0

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let wasWithin = received <= Self.mostBytes
        received += unwrapInboundIn(data).readableBytes
        if received <= Self.mostBytes {
            context.fireChannelRead(data)
        } else if received > Self.mostDiscarded {
            context.close(promise: nil)
        } else if wasWithin {
            context.fireErrorCaught(Exceeded())
        }
    }
}

/// Takes in a new connection only while fewer than `most` are open: the others wait in the system's queue, and cost nothing here.
final class ConnectionLimit: ChannelDuplexHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel
    typealias OutboundIn = Never

    private let most: Int
    private var open = 0
    private var isHolding = false

    init(most: Int) {
        self.most = most
    }

    func read(context: ChannelHandlerContext) {
        if open < most { context.read() } else { isHolding = true }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        open += 1
        let closed = unwrapInboundIn(data).closeFuture.hop(to: context.eventLoop)
        closed.assumeIsolated().whenComplete { _ in
            self.open -= 1
            guard self.isHolding else { return }
            self.isHolding = false
            context.read()
        }
        context.fireChannelRead(data)
    }

    /// A connection that could not be taken in (too many open files, say) is no reason to end the server.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
