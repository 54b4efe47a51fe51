internal import CSpikeKernels
internal import SpikeGraph

/// What gathering costs at an output pixel in a step, in cycles, as measured on processors of the Zen 4 and Zen 5 generations, and
/// the decision that follows: how wide tiles are.
struct GatherCost {
    /// Cycles for a pixel and step themselves: currents, neurons, a misprediction.
    static let ofPixel = 75.0
    /// Bytes of weights that stay in the first-level cache.
    private static let firstLevel = 40_000.0
    /// The share of rows that is taken to be active.
    private static let density = 0.1

    /// Cycles for the rows of a pixel and step.
    let cycles: Double

    /// - Parameters:
    ///   - window: from the stage's pixels to the spikes.
    ///   - channels: of the spikes.
    init(_ window: spike_window, channels: Int, lanes: Lanes, isInteger: Bool) {
        let columns = Int(window.kernel_width) + (lanes.block - 1) * Int(window.stride_x)
        let rows = Double((channels + 7) / 8 * 8 * Int(window.kernel_height) * columns)
        let bytes = Double(lanes.tile * (isInteger ? 1 : 4))
        // Reading: a cache line a cycle from the first level, half of one from the second. Adding: three instructions for 64 lanes.
        let reading = bytes / (rows * bytes <= Self.firstLevel ? 64 : 32)
        cycles = rows * Self.density * (0.5 + max(reading, isInteger ? 1.5 * (bytes / 64).rounded(.up) : 0))
    }

    /// The window over the spikes themselves where the one over a sum pool of them can be taken apart: pools that neither overlap
    /// nor leave gaps, and weights that stay few when each is repeated for all places of a pool. `nil` where lists have to repeat
    /// spikes instead.
    static func unpooled(_ window: spike_window, pool: spike_window?, channels: Int) -> spike_window? {
        guard let pool, pool.kernel_height == pool.stride_y, pool.kernel_width == pool.stride_x, pool.dilation_y == 1,
            pool.dilation_x == 1, pool.pad_top == 0, pool.pad_left == 0, pool.staysInside, window.dilation_y == 1, window.dilation_x == 1
        else { return nil }
        func times(_ a: Int32, _ b: Int32) -> Int32? {
            let (product, overflows) = a.multipliedReportingOverflow(by: b)
            return overflows || product > Limits.extent ? nil : product
        }
        // What the pool leaves out at the far border stays left out.
        guard let height = times(pool.out_height, pool.kernel_height), let width = times(pool.out_width, pool.kernel_width),
            let kernelHeight = times(window.kernel_height, pool.stride_y), let kernelWidth = times(window.kernel_width, pool.stride_x),
            let strideY = times(window.stride_y, pool.stride_y), let strideX = times(window.stride_x, pool.stride_x),
            let top = times(window.pad_top, pool.stride_y), let left = times(window.pad_left, pool.stride_x)
        else { return nil }
        var result = window
        (result.height, result.width, result.kernel_height, result.kernel_width) = (height, width, kernelHeight, kernelWidth)
        (result.stride_y, result.stride_x, result.pad_top, result.pad_left) = (strideY, strideX, top, left)
        return result.places * channels <= 4096 ? try? result.checked() : nil
    }
}

extension Lanes {
    /// The window that a block of pixels has together.
    ///
    /// - Parameter isWidened: the kernel covers what all pixels of the block see.
    func blocked(_ window: spike_window, isWidened: Bool) -> spike_window {
        guard block > 1 else { return window }
        var wide = window
        if isWidened { wide.kernel_width += Int32(block - 1) * window.stride_x }
        wide.stride_x *= Int32(block)
        wide.out_width = Int32(columns)
        return wide
    }
}

extension spike_rows {
    /// The rows that a window looks at.
    init(_ window: spike_window) {
        self.init(
            out_height: window.out_height, kernel_height: window.kernel_height, stride: window.stride_y, dilation: window.dilation_y,
            pad: window.pad_top)
    }
}
