internal import Dispatch
internal import Foundation

/// Simulations that pages ask for: one at a time, each sample's only once however many ask, and the last ones remembered.
///
/// What waits here is bounded by who may ask: a connection waits for one run at most, and connections are limited.
package final class RunQueue: Sendable {
    package typealias Completion = @Sendable (Result<[UInt8], any Error>) -> Void

    /// Somebody's interest in a run.
    package struct Ticket: Hashable, Sendable {
        fileprivate let sample: Int
        fileprivate let number: Int
    }

    /// How many bytes of finished runs are remembered.
    package static let mostRemembered = 64 << 20

    private let simulate: @Sendable (Int) throws -> [UInt8]
    private let worker = DispatchQueue(label: "spikelet.explorer.runs", qos: .userInitiated)
    private let lock = NSLock()
    nonisolated(unsafe) private var waiting: [Int: [Ticket: Completion]] = [:]
    nonisolated(unsafe) private var remembered: [Int: [UInt8]] = [:]
    /// The remembered samples, the one that was asked for longest ago first.
    nonisolated(unsafe) private var order: [Int] = []
    nonisolated(unsafe) private var bytes = 0
    nonisolated(unsafe) private var tickets = 0
    nonisolated(unsafe) private var finished = 0

    package init(_ simulate: @escaping @Sendable (Int) throws -> [UInt8]) {
        self.simulate = simulate
    }

    /// How many simulations have run.
    package var simulations: Int { lock.withLock { finished } }

    /// Calls `completion` with the run, at once or after it: on a thread of the queue's.
    ///
    /// - Returns: for ``cancel(_:)``; `nil` where the run was remembered.
    package func request(_ sample: Int, _ completion: @escaping Completion) -> Ticket? {
        lock.lock()
        if let run = remembered[sample] {
            order.removeAll { $0 == sample }
            order.append(sample)
            lock.unlock()
            completion(.success(run))
            return nil
        }
        tickets += 1
        let ticket = Ticket(sample: sample, number: tickets)
        let isNew = waiting[sample] == nil
        waiting[sample, default: [:]][ticket] = completion
        lock.unlock()
        if isNew { worker.async { self.work(sample) } }
        return ticket
    }

    /// Gives up a run. One that nobody waits for any more is not begun.
    package func cancel(_ ticket: Ticket) {
        lock.withLock { waiting[ticket.sample]?[ticket] = nil }
    }

    private func work(_ sample: Int) {
        let isWanted = lock.withLock {
            guard waiting[sample]?.isEmpty != false else { return true }
            waiting[sample] = nil
            return false
        }
        guard isWanted else { return }
        let result = Result { try simulate(sample) }
        let completions = lock.withLock { () -> [Completion] in
            finished += 1
            if case .success(let run) = result { remember(run, of: sample) }
            return Array((waiting.removeValue(forKey: sample) ?? [:]).values)
        }
        for completion in completions { completion(result) }
    }

    /// Under the lock.
    private func remember(_ run: [UInt8], of sample: Int) {
        remembered[sample] = run
        order.append(sample)
        bytes += run.count
        while bytes > Self.mostRemembered, let oldest = order.first {
            order.removeFirst()
            bytes -= remembered.removeValue(forKey: oldest)?.count ?? 0
        }
    }
}
