import Foundation

/// Watches the activations of a ReLU and keeps a scale for the neuron that will replace it.
///
/// Each batch gives s_t by the mode; the first batch sets the scale, every later one moves it: s ← (1 − m)·s + m·s_t.
/// So the scale depends on the order and the size of the batches; it is SpikingJelly's rule, kept exactly. The output is
/// the input.
public struct VoltageHook: OperatorPayload {
    /// How a batch gives a scale.
    public enum Mode: Hashable, Sendable, Codable, CustomStringConvertible {
        /// The largest activation.
        case max
        /// A percentile of all activations of the batch, zeros included, interpolated linearly between neighbours.
        case percentile(Double)
        /// A share of the largest activation, 0 < share ≤ 1.
        case scaled(Double)

        /// Reads `max`, `99.9%` or a number in (0, 1].
        public init(_ text: String) throws {
            let trimmed = text.trimmingCharacters(in: .whitespaces)
            if trimmed.lowercased() == "max" {
                self = .max
            } else if trimmed.hasSuffix("%"), let percent = Double(trimmed.dropLast()) {
                self = .percentile(percent)
            } else if let share = Double(trimmed) {
                self = .scaled(share)
            } else {
                throw Self.error(text)
            }
            guard isValid else { throw Self.error(text) }
        }

        /// Throws unless the mode's number is in its range.
        public func validate() throws {
            guard isValid else { throw Self.error(description) }
        }

        private var isValid: Bool {
            switch self {
            case .max: true
            case .percentile(let percent): percent > 0 && percent <= 100
            case .scaled(let share): share > 0 && share <= 1
            }
        }

        private static func error(_ text: String) -> SpikeletError {
            SpikeletError(
                .invalidOption, "mode '\(text)' is none of the conversion modes",
                remedy: "use 'max', a percentile above 0% and up to 100% such as '99.9%', or a number above 0 and up to 1 such as 0.5")
        }

        public var description: String {
            switch self {
            case .max: "max"
            case .percentile(let percent): "\(percent)%"
            case .scaled(let share): "\(share)"
            }
        }
    }

    package static let name = "VoltageHook"
    /// The scale s that calibration has found so far.
    public private(set) var scale: Float
    /// The weight m of each batch after the first.
    public let momentum: Float
    /// How a batch's activations give its own scale.
    public let mode: Mode
    /// The number of samples seen so far (the sum of the batches' first axes).
    public private(set) var samplesTracked = 0

    /// - Throws: for a mode or a momentum (0…1) outside its range.
    public init(scale: Float = 1, momentum: Float = 0.1, mode: Mode = .max) throws {
        self.scale = scale
        self.momentum = momentum
        self.mode = mode
        try validate()
    }

    /// A hook that has seen so many samples.
    package init(scale: Float, momentum: Float, mode: Mode, samplesTracked: Int) throws {
        try self.init(scale: scale, momentum: momentum, mode: mode)
        self.samplesTracked = samplesTracked
        try validate()
    }

    private func validate() throws {
        try mode.validate()
        guard samplesTracked >= 0 else { throw SpikeletError(.malformedFile, "a hook that has seen \(samplesTracked) samples") }
        guard momentum >= 0, momentum <= 1 else {
            throw SpikeletError(
                .invalidOption, "momentum \(momentum) is outside 0…1", remedy: "0.1 is the usual value; 1 keeps only the last batch")
        }
    }

    /// Takes a batch of activations into the scale, and returns it unchanged.
    ///
    /// - Throws: for an empty batch, and for NaN or infinity among the activations.
    public mutating func callAsFunction(_ x: Tensor) throws -> Tensor {
        _ = try outputTypes([ValueType(x)], constants: [nil])
        guard x.count > 0 else { throw SpikeletError(.invalidData, "an empty batch has no scale") }
        if let position = x.firstNonFinite {
            throw SpikeletError(
                .invalidData, "the activations hold \(x.floats[position]) at position \(position)",
                remedy: "look for NaN or infinity in the calibration data, and for weights that overflow")
        }
        let values = x.floats
        let batchScale: Float =
            switch mode {
            case .max: values.max() ?? 0
            case .percentile(let percent): Self.percentile(percent, of: values)
            case .scaled(let share): (values.max() ?? 0) * Float(share)
            }
        scale = samplesTracked == 0 ? batchScale : (1 - momentum) * scale + momentum * batchScale
        samplesTracked += x.shape.first ?? 1
        return x
    }

    /// NumPy's `percentile` with linear interpolation; `values` is not empty.
    private static func percentile(_ percent: Double, of values: [Float]) -> Float {
        let sorted = values.sorted()
        let position = percent / 100 * Double(sorted.count - 1)
        let lower = Int(position)
        let upper = Swift.min(lower + 1, sorted.count - 1)
        let below = Double(sorted[lower])
        return Float(below + (Double(sorted[upper]) - below) * (position - Double(lower)))
    }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        // A hook out of a file has not been through the initialiser.
        try validate()
        return try unaryType(inputs)
    }

    package func linearity(isConstant: [Bool]) -> Linearity { .neuron }

    package var summary: String { "mode \(mode), momentum \(momentum)" + (samplesTracked > 0 ? ", scale \(scale)" : "") }
}
