/// The memory that a worker writes: what lasts from block to block, and what goes from stage to stage and is used again.
final class WorkerMemory {
    /// The spikes of a train that lie under a view, step by step: entries of all samples, and where each step's begin.
    struct List {
        var entries: Buffer
        var starts: Buffer
        /// From sample to sample, in entries.
        var stride: Int
    }

    /// For each neuron node, the spikes of each neuron: [samples][channels][pixels].
    var counts: [String: Buffer] = [:]

    // By stage.
    var membranes: [Int: Buffer] = [:]
    /// What neurons remember beside their membranes.
    var memories: [Int: Buffer] = [:]
    var offsets: [Int: Buffer] = [:]
    var poolSums: [Int: Buffer] = [:]
    /// What outputs were after each step of the last block: [samples][steps][blocks][lanes].
    var records: [Int: Buffer] = [:]

    // By spike train or list view; given back after the last reader.
    var trains: [Int: Buffer] = [:]
    var lists: [Int: List] = [:]
    /// A radix code's spikes as the numbers that they are the digits of: a byte for each bit of a sample's plane, sample after sample,
    /// then zeros for one pixel.
    var numbers: [Int: Buffer] = [:]

    /// Of a program that runs in numbers.
    var layers: LayerMemory?

    private var free: [Buffer] = []
    private let scratch: [Buffer]
    /// The most that was in use, in bytes.
    private(set) var peakBytes = 0

    /// - Parameter slots: how many threads work at once.
    init(slots: Int) {
        scratch = (0..<slots).map { _ in Buffer() }
    }

    /// Forgets what was simulated.
    func reset() {
        for buffer in counts.values { buffer.clear(buffer.capacity) }
        (membranes, memories, poolSums) = ([:], [:], [:])
    }

    /// Memory for a train, a list or numbers; what it holds is left from an earlier use.
    func take(_ bytes: Int) -> Buffer {
        // The smallest that is large enough, else the largest: it grows.
        let fitting = free.indices.filter { free[$0].capacity >= bytes }.min { free[$0].capacity < free[$1].capacity }
        let taken = (fitting ?? free.indices.max { free[$0].capacity < free[$1].capacity }).map { free.remove(at: $0) } ?? Buffer()
        taken.reserve(bytes)
        return taken
    }

    /// A thread's own memory, for one piece of work.
    func scratch(_ slot: Int, bytes: Int) -> UnsafeMutableRawPointer {
        scratch[slot].reserve(bytes)
        return scratch[slot].start
    }

    /// Takes back what nothing behind a stage reads.
    func release(after stage: Int, in program: Program) {
        // Nothing is gathered in arrays: a small network takes no longer than some of them.
        var bytes = layers?.byteCount ?? 0
        func add(_ buffers: [Int: Buffer]) { for buffer in buffers.values { bytes += buffer.capacity } }
        add(membranes)
        add(memories)
        add(offsets)
        add(poolSums)
        add(records)
        add(trains)
        add(numbers)
        for buffer in counts.values { bytes += buffer.capacity }
        for list in lists.values { bytes += list.entries.capacity + list.starts.capacity }
        for buffer in scratch { bytes += buffer.capacity }
        for buffer in free { bytes += buffer.capacity }
        peakBytes = max(peakBytes, bytes)
        for (view, list) in lists where program.views[view].readers.upperBound <= stage {
            free += [list.entries, list.starts]
            lists[view] = nil
        }
        for signal in trains.keys where program.lastReads[signal] <= stage {
            free += [trains.removeValue(forKey: signal), numbers.removeValue(forKey: signal)].compactMap { $0 }
        }
    }
}
