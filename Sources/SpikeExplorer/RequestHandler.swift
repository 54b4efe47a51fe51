internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import SpikeGraph

/// Answers the one request of a connection, then ends it.
final class RequestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let explorer: Explorer
    private let rules: RequestRules
    private let page: ExplorerPage
    private let connections: Connections
    /// How long a request may take to arrive, and its answer to be taken.
    private let patience: TimeAmount
    private var route: Route?
    /// Whether all of the request has come.
    private var isComplete = false
    private var isAnswered = false
    private var ticket: RunQueue.Ticket?
    private var deadline: Scheduled<Void>?

    init(explorer: Explorer, rules: RequestRules, page: ExplorerPage, connections: Connections, patience: TimeAmount) {
        self.explorer = explorer
        self.rules = rules
        self.page = page
        self.connections = connections
        self.patience = patience
    }

    func channelActive(context: ChannelHandlerContext) {
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: patience) {
            self.refuse(Refusal(status: .requestTimeout, reason: "the request took too long to arrive"), context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        if let ticket { explorer.runs.cancel(ticket) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        guard !isAnswered, !isComplete else { return }
        switch part {
        case .head(let head):
            do {
                route = try rules.route(head)
            } catch {
                refuse(error as? Refusal ?? Refusal(status: .badRequest, reason: "the request is malformed"), context)
            }
        case .body:
            refuse(Refusal(status: .payloadTooLarge, reason: "no request has a body here"), context)
        case .end:
            deadline?.cancel()
            isComplete = true
            connections.asked(context.channel)
            if let route { answer(route, context) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case is ByteLimit.Exceeded, HTTPParserError.headerOverflow:
            refuse(Refusal(status: .requestHeaderFieldsTooLarge, reason: "the request is too large"), context)
        case is HTTPParserError: refuse(Refusal(status: .badRequest, reason: "the request is malformed"), context)
        default: context.close(promise: nil)
        }
    }

    private func answer(_ route: Route, _ context: ChannelHandlerContext) {
        do {
            switch route {
            case .page: respond(.ok, Array(page.html.utf8), type: "text/html; charset=utf-8", context)
            case .network: respond(.ok, try explorer.description(), context)
            case .pictures(let range): respond(.ok, try explorer.pictures(range), context)
            case .run(let sample):
                let promise = context.eventLoop.makePromise(of: [UInt8].self)
                ticket = explorer.runs.request(sample) { promise.completeWith($0) }
                promise.futureResult.assumeIsolated().whenComplete { result in
                    self.ticket = nil
                    switch result {
                    case .success(let run): self.respond(.ok, run, context)
                    case .failure(let error): self.fail(error, context)
                    }
                }
            }
        } catch {
            fail(error, context)
        }
    }

    private func fail(_ error: any Error, _ context: ChannelHandlerContext) {
        refuse(Refusal(status: .internalServerError, reason: (error as? SpikeletError)?.description ?? "\(error)"), context)
    }

    private func refuse(_ refusal: Refusal, _ context: ChannelHandlerContext) {
        guard !isAnswered else { return }
        let body = (try? JSONEncoder().encode(["error": refusal.reason])) ?? Data()
        respond(refusal.status, Array(body), context)
    }

    private func respond(
        _ status: HTTPResponseStatus, _ body: [UInt8], type: String = "application/json", _ context: ChannelHandlerContext
    ) {
        guard !isAnswered, context.channel.isActive else { return }
        isAnswered = true
        deadline?.cancel()
        var headers = HTTPHeaders([
            ("Content-Type", type), ("Content-Length", "\(body.count)"), ("Connection", "close"), ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"), ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"), ("Content-Security-Policy", page.policy),
        ])
        if status == .methodNotAllowed { headers.add(name: "Allow", value: "GET") }
        context.write(wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers))), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
        let sent = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: sent)
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: patience) { context.close(promise: nil) }
        sent.futureResult.assumeIsolated().whenComplete { _ in self.linger(context) }
    }

    /// Ends the connection so that its answer arrives: closing with bytes unread would make the system take the answer back.
    /// So where more of the request may come, only our side is closed, and a while the rest is thrown away (``ByteLimit`` counts it).
    private func linger(_ context: ChannelHandlerContext) {
        guard !isComplete else {
            context.close(promise: nil)
            return
        }
        context.close(mode: .output, promise: nil)
        deadline?.cancel()
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) { context.close(promise: nil) }
    }
}
