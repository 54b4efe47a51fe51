internal import Dispatch

/// Work split over a fixed number of threads. Which thread does a piece never changes what it computes.
struct Threads: Sendable {
    let count: Int

    /// Calls `body(index, slot)` for every index below `pieces`. Slot is a number below ``count`` that no two calls share at the
    /// same time; neighbouring indices go to the same slot, one after the other.
    func forEach(_ pieces: Int, _ body: (_ index: Int, _ slot: Int) -> Void) {
        let slots = min(count, pieces)
        if slots <= 1 {
            for index in 0..<pieces { body(index, 0) }
            return
        }
        withoutActuallyEscaping(body) { escaping in
            nonisolated(unsafe) let body = escaping
            DispatchQueue.concurrentPerform(iterations: slots) { slot in
                for index in slot * pieces / slots..<(slot + 1) * pieces / slots { body(index, slot) }
            }
        }
    }
}
