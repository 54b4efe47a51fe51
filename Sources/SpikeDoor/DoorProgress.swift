import CSpikelet
import Dispatch
import Foundation
import Spikelet

/// Leads the library's progress to a callback, and the callback's wish to stop back to the library.
///
/// The callback is called on the thread that called into the library alone: there a Python interpreter can take up a Ctrl-C.
final class DoorProgress: @unchecked Sendable {
    /// A callback asked for the end.
    struct Stopped: Error {}

    @TaskLocal static var current: DoorProgress?

    private let callback: spikelet_progress
    private let context: UnsafeMutableRawPointer?
    private let thread = pthread_self()
    private let lock = NSLock()
    private var displays: [Display] = []
    private var last = DispatchTime.now()
    private var stops = false

    /// Nanoseconds between two calls of the callback.
    private static let interval: UInt64 = 50_000_000

    private init(_ callback: @escaping spikelet_progress, _ context: UnsafeMutableRawPointer?) {
        (self.callback, self.context) = (callback, context)
    }

    /// Calls `body`, whose progress is told to `callback`.
    static func report<Result>(
        to callback: spikelet_progress?, _ context: UnsafeMutableRawPointer?, _ body: () throws -> Result
    ) throws -> Result {
        guard let callback else { return try body() }
        let progress = DoorProgress(callback, context)
        return try $current.withValue(progress) {
            try Cancellation.asking({ progress.poll() }) {
                do {
                    return try body()
                } catch let error as SpikeletError where error.code == .interrupted && progress.isStopped {
                    throw Stopped()
                }
            }
        }
    }

    var isStopped: Bool { lock.withLock { stops } }

    func begin(_ task: ProgressTask) -> any ProgressDisplay {
        let display = Display(task, of: self)
        lock.withLock { displays.append(display) }
        return display
    }

    private func end(_ display: Display) {
        lock.withLock { displays.removeAll { $0 === display } }
    }

    /// Asks the callback from time to time, if this is its thread; other threads hear what it said.
    ///
    /// - Returns: whether the work is to end.
    @discardableResult
    func poll() -> Bool {
        if isStopped { return true }
        guard pthread_equal(thread, pthread_self()) != 0 else { return false }
        let now = DispatchTime.now()
        guard now.uptimeNanoseconds - last.uptimeNanoseconds > Self.interval else { return false }
        last = now
        let display = lock.withLock { displays.last }
        let answer: Int32
        if let display {
            let completed = display.completed
            answer = display.task.title.withCString { title in
                display.task.unit.withCString { unit in
                    callback(context, title, unit, Int64(completed), Int64(display.task.total ?? -1))
                }
            }
        } else {
            answer = callback(context, nil, nil, 0, -1)
        }
        last = DispatchTime.now()
        if answer != 0 { lock.withLock { stops = true } }
        return answer != 0
    }

    /// One piece of work.
    private final class Display: ProgressDisplay, @unchecked Sendable {
        let task: ProgressTask
        private let owner: DoorProgress
        private let lock = NSLock()
        private var done: Int

        init(_ task: ProgressTask, of owner: DoorProgress) {
            (self.task, self.owner) = (task, owner)
            done = task.completed
        }

        var completed: Int { lock.withLock { done } }

        func advance(by amount: Int, isWork: Bool) {
            lock.withLock { done += amount }
            owner.poll()
        }

        func finish() { owner.end(self) }
    }

    private struct Nowhere: ProgressDisplay {
        func advance(by amount: Int, isWork: Bool) {}
        func finish() {}
    }

    static let nowhere: any ProgressDisplay = Nowhere()
}
