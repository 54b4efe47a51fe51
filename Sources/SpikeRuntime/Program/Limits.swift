internal import CSpikeKernels
internal import SpikeGraph

/// What the kernels' numbers hold: every narrowing of the engine has its bound here, taken from the kernels' own header where they
/// have it too. All of it is asked for when a program is made, so that nothing has to be looked at while one runs; what does not fit
/// is split, or left to the reference path and listed with the reason. `Documentation/Engine.md` has the list.
enum Limits {
    /// Positions of a column of a list, and channels of a list that is read by channel: entries are 16-bit numbers.
    static let column = Int(SPIKE_LARGEST_COLUMN)
    /// Entries of a list of one sample and block of steps: starts are 32-bit numbers.
    static let list = Int(UInt32.max)
    /// Spikes of a neuron in a step: counts are 16-bit numbers.
    static let count = Int(SPIKE_LARGEST_COUNT)
    /// A neuron's spikes in a simulation, where a pool adds them up: running sums are 32-bit numbers.
    static let sum = Int(Int32.max)
    /// Sizes of images and channels, and coordinates of windows, padding included: 32-bit numbers.
    static let extent = Int(SPIKE_LARGEST_EXTENT)
    /// Steps of a radix code.
    static let radixSteps = Int(SPIKE_LARGEST_RADIX)
    /// Places of a window of max pooling: an array of the kernels.
    static let maximumPlaces = Int(SPIKE_LARGEST_POOL)
    /// Places of a window that the dense kernel takes: an array of the kernels.
    static let densePlaces = Int(SPIKE_LARGEST_DENSE)
    /// Places of a window between channels, and weights of a window that two were joined to. Not for the kernels' sake: more weights
    /// than that cost more than the reference path.
    static let places = 1024
    static let composedWeights = 1 << 26
    /// Places of an average pool that lists repeat spikes for; for cost, too.
    static let pooledPlaces = 1 << 14

    /// Something that the kernels cannot take.
    struct Exceeded: Error {
        var reason: String
    }

    /// A product of sizes, or of strides, that has to stay within a limit.
    static func product(_ factors: Int..., within limit: Int, _ what: String) throws -> Int {
        var result = 1
        for factor in factors {
            let (product, overflows) = result.multipliedReportingOverflow(by: factor)
            guard !overflows, product <= limit else { throw Exceeded(reason: "\(what), more than \(limit)") }
            result = product
        }
        return result
    }

    /// Whether the kernels' 32-bit sizes hold a layout.
    static func hold(_ layout: Layout) -> Bool {
        [layout.channels, layout.height, layout.width].allSatisfy { $0 < extent } && layout.height * (layout.width + 1) <= 2 * extent
    }
}

extension spike_window {
    /// The same window, if the kernels' 32-bit numbers hold its sizes and wherever it looks, padding included.
    ///
    /// - Throws: ``Limits/Exceeded``.
    func checked() throws -> spike_window {
        func last(_ out: Int32, _ stride: Int32, _ kernel: Int32, _ dilation: Int32, _ size: Int32, _ pad: Int32) -> Int {
            max((Int(out) - 1) * Int(stride) + (Int(kernel) - 1) * Int(dilation), Int(size), Int(pad), Int(stride), Int(dilation))
        }
        guard last(out_height, stride_y, kernel_height, dilation_y, height, pad_top) < Limits.extent,
            last(out_width, stride_x, kernel_width, dilation_x, width, pad_left) < Limits.extent
        else { throw Limits.Exceeded(reason: "its window reaches further than \(Limits.extent) places") }
        return self
    }
}

extension Term {
    /// The same term as several of fewer channels each, as many as a column of a list has room for.
    func split() -> [Term] {
        var rows = 1
        if case .dense(_, _, let window) = synapses { rows = Int(window.kernel_height) }
        let most = Limits.column / rows / 8 * 8
        guard channels.count > most, case .spikes = source else { return [self] }
        return stride(from: 0, to: channels.count, by: most).map { part($0..<min($0 + most, channels.count)) }
    }

    /// What some of its channels, counted from its first, make of it.
    func part(_ own: Range<Int>) -> Term {
        var part = self
        part.channels = channels.lowerBound + own.lowerBound..<channels.lowerBound + own.upperBound
        part.scale = Array(scale[own])
        switch synapses {
        case .identity: part.firstTarget += own.lowerBound
        case .depthwise(let weights, let window):
            part.firstTarget += own.lowerBound
            part.synapses = .depthwise(Array(weights[own.lowerBound * window.places..<own.upperBound * window.places]), window)
        case .dense(let weights, let features, let window):
            let row = channels.count * window.places
            let kept = (0..<features).flatMap {
                weights[$0 * row + own.lowerBound * window.places..<$0 * row + own.upperBound * window.places]
            }
            part.synapses = .dense(kept, features: features, window)
        }
        return part
    }
}
