import Dispatch
import Foundation

/// `items` mapped at the same time, results in order. The first error, in the items' order, is thrown.
///
/// - Parameter count: as many at a time: what more would take is memory alone.
package func concurrentMap<Item: Sendable, Result: Sendable>(
    _ items: [Item], atMost count: Int = .max, _ transform: @Sendable (Item) throws -> Result
) throws -> [Result] {
    if items.count == 1 { return [try transform(items[0])] }
    guard items.count <= count else {
        return try stride(from: 0, to: items.count, by: max(1, count)).flatMap { start in
            try concurrentMap(Array(items[start..<min(start + max(1, count), items.count)]), transform)
        }
    }
    nonisolated(unsafe) var results = [Swift.Result<Result, any Error>?](repeating: nil, count: items.count)
    nonisolated(unsafe) var next = 0
    let lock = DispatchSemaphore(value: 1)
    let done = DispatchSemaphore(value: 0)
    let carried = Cancellation.carried
    withoutActuallyEscaping(transform) { transform in
        @Sendable func work() {
            while true {
                lock.wait()
                let index = next
                next += 1
                lock.signal()
                guard index < items.count else { return }
                let result = Swift.Result {
                    try carried {
                        try Cancellation.check()
                        return try transform(items[index])
                    }
                }
                lock.wait()
                results[index] = result
                lock.signal()
            }
        }
        let others = min(items.count, ProcessInfo.processInfo.activeProcessorCount) - 1
        let threads = (0..<max(0, others)).compactMap { _ in
            WorkerThread {
                work()
                done.signal()
            }
        }
        work()
        // This thread may be done long before the others are, and nobody else can ask.
        for _ in threads {
            while done.wait(timeout: .now() + .milliseconds(20)) == .timedOut {
                if carried.isAskedMeanwhile { carried.ask() }
            }
        }
        for thread in threads { thread.join() }
    }
    return try results.compactMap { try $0?.get() }
}

/// A thread of its own, and not one of Dispatch's: in a forked process those are gone, and work for them waits for ever.
private struct WorkerThread {
    private final class Work {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) { self.body = body }

        /// Does what a pointer stands for, and lets go of it.
        static func run(_ pointer: UnsafeMutableRawPointer) { Unmanaged<Work>.fromOpaque(pointer).takeRetainedValue().body() }
    }

    private let thread: pthread_t

    /// `nil` where there are no more threads to be had.
    init?(_ body: @escaping @Sendable () -> Void) {
        let work = Unmanaged.passRetained(Work(body))
        #if canImport(Darwin)
        var made: pthread_t?
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        // As the first thread has; others have far less otherwise.
        pthread_attr_setstacksize(&attributes, 8 << 20)
        let status = pthread_create(
            &made, &attributes,
            {
                Work.run($0)
                return nil
            }, work.toOpaque())
        #else
        var number: pthread_t = 0
        let status = pthread_create(
            &number, nil,
            { pointer in
                if let pointer { Work.run(pointer) }
                return nil
            }, work.toOpaque())
        let made: pthread_t? = number
        #endif
        guard status == 0, let made else {
            work.release()
            return nil
        }
        thread = made
    }

    /// Waits until it has ended, and let go of what it did.
    func join() { pthread_join(thread, nil) }
}
