/// A block of memory that is written once, when a program is compiled, and then only read. Rows of weights start at cache lines.
final class Memory: @unchecked Sendable {
    let start: UnsafeMutableRawPointer
    let count: Int

    /// - Parameter count: bytes; they are zeros at first.
    init(count: Int) {
        self.count = count
        // Vector loads may look a little past the end.
        start = .allocate(byteCount: count + 128, alignment: 64)
        start.initializeMemory(as: UInt8.self, repeating: 0, count: count + 128)
    }

    convenience init(_ values: [Float]) {
        self.init(count: values.count * 4)
        for (index, value) in values.enumerated() { floats[index] = value }
    }

    convenience init(_ values: [Int32]) {
        self.init(count: values.count * 4)
        for (index, value) in values.enumerated() { integers[index] = value }
    }

    deinit { start.deallocate() }

    var floats: UnsafeMutablePointer<Float> { start.assumingMemoryBound(to: Float.self) }
    var integers: UnsafeMutablePointer<Int32> { start.assumingMemoryBound(to: Int32.self) }
}

/// Memory that a worker writes again and again; it grows on demand.
final class Buffer {
    private(set) var start: UnsafeMutableRawPointer
    private(set) var capacity: Int

    init() {
        capacity = 0
        start = .allocate(byteCount: Buffer.slack, alignment: 64)
    }

    convenience init(zeros count: Int) {
        self.init()
        reserve(count)
    }

    deinit { start.deallocate() }

    /// What vector kernels may touch past the end.
    private static let slack = 256

    /// Makes room for `count` bytes. If it has to grow, what was in the buffer is lost, and all of it is zeros.
    func reserve(_ count: Int) {
        guard count > capacity else { return }
        start.deallocate()
        start = .allocate(byteCount: count + Buffer.slack, alignment: 64)
        capacity = count
        clear(count + Buffer.slack)
    }

    /// Zeros in the first `count` bytes.
    func clear(_ count: Int) {
        start.initializeMemory(as: UInt8.self, repeating: 0, count: count)
    }

    var floats: UnsafeMutablePointer<Float> { start.assumingMemoryBound(to: Float.self) }
    var integers: UnsafeMutablePointer<Int32> { start.assumingMemoryBound(to: Int32.self) }
    var words: UnsafeMutablePointer<UInt64> { start.assumingMemoryBound(to: UInt64.self) }
    var counts: UnsafeMutablePointer<Int16> { start.assumingMemoryBound(to: Int16.self) }
    var entries: UnsafeMutablePointer<UInt16> { start.assumingMemoryBound(to: UInt16.self) }
    var starts: UnsafeMutablePointer<UInt32> { start.assumingMemoryBound(to: UInt32.self) }
}
