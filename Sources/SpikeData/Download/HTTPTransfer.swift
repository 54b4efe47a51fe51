import Dispatch
import Foundation
#if canImport(FoundationNetworking)
import FoundationNetworking
#endif
import SpikeGraph

/// One HTTP exchange: a GET request, its answer piece by piece.
///
/// The session calls the delegate on one queue, one call after the other; the lock is for the start and for cancelling.
final class HTTPTransfer: NSObject, URLSessionDataDelegate, @unchecked Sendable {
    /// What receives the answer.
    protocol Receiver: AnyObject, Sendable {
        /// The header of the answer has come (after redirects). `false`: its body is not wanted.
        func begin(_ response: HTTPURLResponse) throws -> Bool
        func receive(_ bytes: UnsafeRawBufferPointer) throws
    }

    private let receiver: any Receiver
    private let queue = BoundedQueue()
    private let lock = NSLock()
    private var continuation: CheckedContinuation<Void, any Error>?
    private var task: URLSessionDataTask?
    private var state = State.waiting
    private var redirects = 0

    private enum State {
        /// For the header of the answer, or for where a redirect leads.
        case waiting
        case receiving
        /// Nothing more is wanted: the body was declined, or there was an error.
        case done((any Error)?)
    }

    private init(_ receiver: any Receiver) {
        self.receiver = receiver
    }

    /// Sends the request, and returns when the receiver has had all of the answer, or has declined its body.
    ///
    /// - Throws: what the receiver throws; `URLError`; `CancellationError`; ``SpikeletError`` for a redirect that is not followed.
    static func run(_ request: URLRequest, receiver: any Receiver) async throws {
        let transfer = HTTPTransfer(receiver)
        let configuration = URLSessionConfiguration.ephemeral
        configuration.urlCache = nil
        configuration.requestCachePolicy = .reloadIgnoringLocalCacheData
        configuration.timeoutIntervalForRequest = request.timeoutInterval
        let session = URLSession(configuration: configuration, delegate: transfer, delegateQueue: transfer.queue)
        defer { session.finishTasksAndInvalidate() }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                transfer.start(session.dataTask(with: request), continuation)
            }
        } onCancel: {
            transfer.cancel()
        }
    }

    private func start(_ task: URLSessionDataTask, _ continuation: CheckedContinuation<Void, any Error>) {
        lock.lock()
        defer { lock.unlock() }
        if case .done = state { return continuation.resume(throwing: CancellationError()) }
        self.task = task
        self.continuation = continuation
        task.resume()
    }

    private func cancel() {
        lock.lock()
        var running: URLSessionDataTask?
        switch state {
        case .waiting:
            // FoundationNetworking traps if a task is cancelled while it waits for the answer to a redirect. So the task goes on
            // until its header comes, and nobody listens.
            state = .done(CancellationError())
            continuation?.resume(throwing: CancellationError())
            continuation = nil
        case .receiving:
            state = .done(CancellationError())
            running = task
        case .done: break
        }
        lock.unlock()
        // This may wait for the session, and the session for the delegate, who needs the lock.
        running?.cancel()
    }

    /// Ends the exchange, from within the delegate.
    private func end(_ task: URLSessionTask) {
        queue.open()
        task.cancel()
    }

    /// The body is not wanted, or not wanted any more.
    private func stop(_ error: (any Error)?) {
        lock.withLock { state = .done(error) }
    }

    private var current: State { lock.withLock { state } }

    // MARK: The delegate

    func urlSession(
        _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse, newRequest request: URLRequest,
        completionHandler: @escaping @Sendable (URLRequest?) -> Void
    ) {
        redirects += 1
        let scheme = request.url?.scheme?.lowercased() ?? ""
        guard scheme == "http" || scheme == "https" else {
            stop(SpikeletError(.network, "the server redirects to an address that is neither http nor https", remedy: "check the address"))
            return completionHandler(nil)
        }
        guard redirects <= 10 else {
            stop(SpikeletError(.network, "the server redirects in circles", remedy: "check the address"))
            return completionHandler(nil)
        }
        // Not every implementation carries the headers over.
        var request = request
        for (name, value) in task.originalRequest?.allHTTPHeaderFields ?? [:] { request.setValue(value, forHTTPHeaderField: name) }
        completionHandler(request)
    }

    func urlSession(
        _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
        completionHandler: @escaping @Sendable (URLSession.ResponseDisposition) -> Void
    ) {
        // From here on, cancelling waits for the delegate: nobody else touches the receiver while it works.
        let isWanted = lock.withLock {
            guard case .waiting = state else { return false }
            state = .receiving
            return true
        }
        guard isWanted else {
            end(dataTask)
            return completionHandler(.cancel)
        }
        do {
            guard let response = response as? HTTPURLResponse else { throw URLError(.badServerResponse) }
            guard try receiver.begin(response) else {
                stop(nil)
                end(dataTask)
                return completionHandler(.cancel)
            }
            completionHandler(.allow)
        } catch {
            stop(error)
            end(dataTask)
            completionHandler(.cancel)
        }
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        // FoundationNetworking ignores `.cancel` above: bytes that are not wanted may still come.
        guard case .receiving = current else { return end(dataTask) }
        do {
            try data.withUnsafeBytes { try receiver.receive($0) }
        } catch {
            stop(error)
            end(dataTask)
        }
    }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
        lock.lock()
        defer { lock.unlock() }
        switch state {
        case .done(let reason?): continuation?.resume(throwing: reason)
        case .done(nil): continuation?.resume()
        case .receiving where error == nil: continuation?.resume()
        case .waiting, .receiving: continuation?.resume(throwing: error ?? URLError(.badServerResponse))
        }
        continuation = nil
    }
}

/// A queue for one call at a time that lets its caller wait when too many are in it. FoundationNetworking queues each piece of a body as
/// it comes; where the disk is slower than the network, the whole file would gather in memory. Apple's Foundation looks after that itself.
private final class BoundedQueue: OperationQueue, @unchecked Sendable {
    #if canImport(FoundationNetworking)
    /// Pieces have up to 16 KiB.
    private static let limit = 1024
    private let places = DispatchSemaphore(value: 0)
    private let lock = NSLock()
    private var isOpen = false
    #endif

    override init() {
        super.init()
        maxConcurrentOperationCount = 1
        #if canImport(FoundationNetworking)
        // Not as its first value: a semaphore may not go away with less than that.
        for _ in 0..<Self.limit { places.signal() }
        #endif
    }

    #if canImport(FoundationNetworking)
    override func addOperation(_ block: @escaping @Sendable () -> Void) {
        if !lock.withLock({ isOpen }) { places.wait() }
        super.addOperation { [places] in
            block()
            places.signal()
        }
    }
    #endif

    /// Nobody waits any more. To be called before anything in the queue waits for its caller.
    func open() {
        #if canImport(FoundationNetworking)
        lock.withLock { isOpen = true }
        places.signal()
        #endif
    }
}
