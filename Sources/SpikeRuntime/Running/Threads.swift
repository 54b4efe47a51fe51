internal import CSpikeKernels
internal import Dispatch

/// Work split over a fixed number of threads. Which thread does a piece never changes what it computes.
struct Threads: Sendable {
    let count: Int
    /// Who works; without it threads are asked of the system each time, which takes longer than a small layer.
    var crew: Crew?

    /// Threads that last as long as this does.
    final class Crew: @unchecked Sendable {
        fileprivate let pointer: OpaquePointer?

        init(count: Int) { pointer = count > 1 ? spike_crew_make(Int32(count)) : nil }

        deinit {
            if let pointer { spike_crew_free(pointer) }
        }
    }

    /// What each sample's work is split into where there are fewer samples than threads.
    func parts(of length: Int, samples: Int) -> [Range<Int>] {
        let count = max(1, min(length, (self.count + samples - 1) / max(1, samples)))
        return (0..<count).map { $0 * length / count..<($0 + 1) * length / count }
    }

    private struct Job {
        let pieces: Int
        let slots: Int
        let body: (_ index: Int, _ slot: Int) -> Void

        func run(_ slot: Int) {
            for index in slot * pieces / slots..<(slot + 1) * pieces / slots { body(index, slot) }
        }
    }

    /// Calls `body(index, slot)` for every index below `pieces`. Slot is a number below ``count`` that no two calls share at the
    /// same time; neighbouring indices go to the same slot, one after the other.
    func forEach(_ pieces: Int, _ body: (_ index: Int, _ slot: Int) -> Void) {
        let slots = min(count, pieces)
        if slots <= 1 {
            for index in 0..<pieces { body(index, 0) }
            return
        }
        withoutActuallyEscaping(body) { escaping in
            nonisolated(unsafe) var job = Job(pieces: pieces, slots: slots, body: escaping)
            let isDone = withUnsafeMutablePointer(to: &job) { job in
                crew?.pointer.map { pointer in
                    spike_crew_run(
                        pointer, Int32(slots), { context, slot in context?.assumingMemoryBound(to: Job.self).pointee.run(Int(slot)) }, job)
                }
            }
            // The crew is at work for another piece of the same run.
            if isDone != true {
                nonisolated(unsafe) let job = job
                DispatchQueue.concurrentPerform(iterations: slots) { job.run($0) }
            }
        }
    }
}
