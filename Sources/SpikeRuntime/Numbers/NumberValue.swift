internal import CSpikeKernels
internal import SpikeGraph

/// A value while a network of digits is computed.
final class NumberValue {
    let shape: [Int]
    /// Whether it lies as [N, places…, C]; else in the order of its axes.
    let isChannelsLast: Bool
    let kind: NumberKind
    /// Of whole numbers: what 1 stands for, in all or along the last axis that it lies in.
    let steps: [Float]
    /// The largest amount of a whole number.
    let largest: Int
    let start: UnsafeMutableRawPointer
    /// Keeps the memory.
    let owner: AnyObject

    init(
        shape: [Int], isChannelsLast: Bool = false, kind: NumberKind = .floats, steps: [Float] = [], largest: Int = 0,
        start: UnsafeMutableRawPointer, owner: AnyObject
    ) {
        self.shape = shape
        self.isChannelsLast = isChannelsLast && shape.count > 2
        self.kind = kind
        self.steps = steps
        self.largest = largest
        self.start = start
        self.owner = owner
    }

    var count: Int { shape.reduce(1, *) }
    var floats: UnsafeMutablePointer<Float> { start.assumingMemoryBound(to: Float.self) }
    var bytes: UnsafeMutablePointer<UInt8> { start.assumingMemoryBound(to: UInt8.self) }
    var shorts: UnsafeMutablePointer<Int16> { start.assumingMemoryBound(to: Int16.self) }

    /// The sizes in the order in which it lies.
    var storedShape: [Int] { isChannelsLast ? Self.channelsLast(shape) : shape }

    /// The same numbers under another shape, or in another order that is the same for them.
    func viewed(as shape: [Int], isChannelsLast: Bool = false) -> NumberValue {
        NumberValue(
            shape: shape, isChannelsLast: isChannelsLast, kind: kind, steps: steps, largest: largest, start: start, owner: owner)
    }

    /// Whether channels last or not makes no difference: one channel, or one place.
    var isEitherOrder: Bool { shape.count > 2 && (shape[1] == 1 || shape[2...].allSatisfy { $0 == 1 }) }

    static func channelsLast<Element>(_ shape: [Element]) -> [Element] { [shape[0]] + shape[2...] + [shape[1]] }
}

/// Memory for values, given back when nothing reads them any more and taken for others.
final class NumberPool {
    private var free: [Buffer] = []
    private(set) var peakBytes = 0
    private var bytes = 0

    private final class Lease {
        let buffer: Buffer
        let pool: NumberPool

        init(_ buffer: Buffer, of pool: NumberPool) { (self.buffer, self.pool) = (buffer, pool) }

        deinit { pool.free.append(buffer) }
    }

    /// Room for a value; what stands there is left from others.
    func value(
        _ shape: [Int], isChannelsLast: Bool = false, kind: NumberKind = .floats, steps: [Float] = [], largest: Int = 0
    ) -> NumberValue {
        let size = max(1, shape.reduce(1, *)) * kind.size
        let lease = Lease(buffer(size), of: self)
        return NumberValue(
            shape: shape, isChannelsLast: isChannelsLast, kind: kind, steps: steps, largest: largest, start: lease.buffer.start,
            owner: lease)
    }

    private func buffer(_ size: Int) -> Buffer {
        // The smallest that is large enough, unless most of it would lie idle.
        var best: Int?
        for (index, candidate) in free.enumerated() where candidate.capacity >= size && candidate.capacity <= 2 * size + 4096 {
            if best.map({ free[$0].capacity > candidate.capacity }) ?? true { best = index }
        }
        if let best { return free.remove(at: best) }
        // Let go what was of no use, so that it does not pile up.
        if let largest = free.indices.max(by: { free[$0].capacity < free[$1].capacity }), free.count > 24 {
            bytes -= free[largest].capacity
            free.remove(at: largest)
        }
        bytes += size
        peakBytes = max(peakBytes, bytes)
        return Buffer(zeros: size)
    }
}
