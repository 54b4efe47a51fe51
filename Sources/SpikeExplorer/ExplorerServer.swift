internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import SpikeGraph

/// Serves the live page of an ``Explorer`` to this machine alone, at an address that holds a random token.
public final class ExplorerServer: Sendable {
    /// How many connections are worked on at a time; more wait, but not for those that ask nothing.
    package static let mostConnections = 128
    /// The same where the process may have few files open: half of them, since simulations and the page need some.
    private static var allowedConnections: Int {
        let files = sysconf(Int32(_SC_OPEN_MAX))
        return files > 0 ? min(mostConnections, max(4, files / 2 - 16)) : mostConnections
    }

    /// Where the page is.
    public let url: String
    /// The port, chosen by the system unless one was asked for.
    public let port: Int
    package let token: String

    private let group: MultiThreadedEventLoopGroup
    private let channel: any Channel

    /// Begins to serve, on 127.0.0.1.
    ///
    /// - Parameter port: 0: any free one.
    /// - Throws: ``SpikeletError`` (`network`) where the port is taken or not permitted.
    public convenience init(_ explorer: Explorer, port: Int = 0) async throws {
        try await self.init(explorer, port: port, patience: .seconds(20))
    }

    /// - Parameter patience: how long a request may take to arrive, and its answer to be taken.
    package init(_ explorer: Explorer, port: Int = 0, patience: Duration) async throws {
        guard (0...65535).contains(port) else {
            throw SpikeletError(.invalidOption, "\(port) is no port", remedy: "give a number from 1024 to 65535, or none for any free one")
        }
        let token = RequestRules.makeToken()
        let page = ExplorerPage(nonce: RequestRules.makeToken())
        let connections = Connections()
        // One thread: it only passes bytes on. Simulations have a thread of their own.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let bootstrap = ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 1024)
                .serverChannelOption(.maxMessagesPerRead, value: 1)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .serverChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(ConnectionLimit(connections, most: Self.allowedConnections))
                    }
                }
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let rules = RequestRules(token: token, port: channel.localAddress?.port ?? 0, samples: explorer.count)
                        let pipeline = channel.pipeline.syncOperations
                        try pipeline.addHandler(ByteLimit())
                        try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: false, withErrorHandling: false)
                        try pipeline.addHandler(
                            RequestHandler(
                                explorer: explorer, rules: rules, page: page, connections: connections, patience: TimeAmount(patience)))
                    }
                }
            channel = try await bootstrap.bind(host: "127.0.0.1", port: port).get()
        } catch {
            try? await group.shutdownGracefully()
            let isTaken = (error as? IOError)?.errnoCode == EADDRINUSE
            throw SpikeletError(
                .network, isTaken ? "port \(port) is taken by another program" : "port \(port) cannot be served: \(error)",
                remedy: "choose another, or leave out `port` for any free one")
        }
        self.group = group
        self.token = token
        self.port = channel.localAddress?.port ?? port
        url = "http://127.0.0.1:\(self.port)/\(token)/"
    }

    /// Ends all connections and frees the port. A simulation that has begun goes on by itself, and nobody hears of it.
    public func stop() async throws {
        try await channel.close()
        try await group.shutdownGracefully()
    }
}
