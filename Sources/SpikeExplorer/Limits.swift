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

/// The open connections, and which of them still owe their request. Touched on the server's one thread alone.
final class Connections: @unchecked Sendable {
    private(set) var open = 0
    /// The one that has been silent for longest first.
    private var silent: [(channel: any Channel, since: NIODeadline)] = []

    var longestSilent: (channel: any Channel, since: NIODeadline)? { silent.first }

    func opened(_ channel: any Channel) {
        open += 1
        silent.append((channel, .now()))
    }

    /// Its request has come.
    func asked(_ channel: any Channel) { silent.removeAll { $0.channel === channel } }

    func closed(_ channel: any Channel) {
        open -= 1
        asked(channel)
    }
}

/// Takes in a new connection only while fewer than `most` are open: the others wait in the system's queue, and cost nothing here. They do
/// not wait for those that say nothing: of these the one that has been silent for longest gives way, after a moment in which any browser
/// would have sent its request.
final class ConnectionLimit: ChannelDuplexHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel
    typealias OutboundIn = Never

    private let most: Int
    private let patience: TimeAmount
    private let connections: Connections
    private var isHolding = false
    private var deadline: Scheduled<Void>?

    init(_ connections: Connections, most: Int, patience: TimeAmount = .milliseconds(250)) {
        self.connections = connections
        self.most = most
        self.patience = patience
    }

    func read(context: ChannelHandlerContext) {
        if connections.open < most {
            context.read()
        } else {
            isHolding = true
            makeRoom(context)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let channel = unwrapInboundIn(data)
        connections.opened(channel)
        channel.closeFuture.hop(to: context.eventLoop).assumeIsolated().whenComplete { _ in
            self.connections.closed(channel)
            guard self.isHolding else { return }
            self.isHolding = false
            context.read()
        }
        context.fireChannelRead(data)
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        context.fireChannelInactive()
    }

    private func makeRoom(_ context: ChannelHandlerContext) {
        guard isHolding, deadline == nil, let longest = connections.longestSilent else { return }
        let rest = longest.since + patience - .now()
        guard rest > .zero else { return longest.channel.close(promise: nil) }
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: rest) {
            self.deadline = nil
            self.makeRoom(context)
        }
    }

    /// A connection that could not be taken in (too many open files, say) is no reason to end the server.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
