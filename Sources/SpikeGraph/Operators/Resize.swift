/// The input at another resolution: upsampling and downsampling by copies or by interpolation. Every output is a fixed
/// weighted sum of inputs, so it is linear.
///
/// Source: ONNX's `Resize`, whose names the options have.
public struct Resize: OperatorPayload {
    /// How numbers between places are made.
    public enum Mode: String, Codable, Hashable, Sendable {
        /// The nearest place's number; on a straight line between two; on a cubic through four.
        case nearest, linear, cubic
    }

    /// Where an output's place lies in the input.
    public enum Coordinates: String, Codable, Hashable, Sendable {
        /// Places are the middles of pixels.
        case halfPixel = "half_pixel"
        /// The same, with the sizes' rounding taken into account.
        case halfPixelSymmetric = "half_pixel_symmetric"
        /// The same, and 0 for a single pixel.
        case pytorchHalfPixel = "pytorch_half_pixel"
        /// The first and last pixels of both lie on each other, whatever the scale.
        case alignCorners = "align_corners"
        /// Places are the corners of pixels.
        case asymmetric
        /// A part of the input, its region of interest: see ``Axis/region``.
        case cropAndResize = "tf_crop_and_resize"
    }

    /// Which place a position between two of them takes.
    public enum Rounding: String, Codable, Hashable, Sendable {
        /// To the nearest, ties down.
        case roundPreferFloor = "round_prefer_floor"
        /// To the nearest, ties up.
        case roundPreferCeil = "round_prefer_ceil"
        /// Down, or up.
        case floor, ceil
    }

    /// A resized axis.
    public struct Axis: Codable, Hashable, Sendable {
        /// The axis.
        public var axis: Int
        /// The output's size.
        public var size: Int
        /// Output over input; not always just the quotient of the sizes, which are whole numbers.
        public var scale: Float
        /// Of ``Coordinates/cropAndResize``, the part of the axis that becomes the output: 0 is the first place, 1 the last.
        public var region: Region?

        /// A new size of one axis.
        public init(axis: Int, size: Int, scale: Float, region: Region? = nil) {
            self.axis = axis
            self.size = size
            self.scale = scale
            self.region = region
        }
    }

    /// A part of an axis, which may reach beyond it.
    public struct Region: Codable, Hashable, Sendable {
        /// Where it begins, as a share of the axis.
        public var start: Float
        /// Where it ends, as a share of the axis.
        public var end: Float
        /// What stands where there is no input.
        public var outside: Float

        /// A part of an axis, in shares of its length.
        public init(start: Float, end: Float, outside: Float = 0) {
            self.start = start
            self.end = end
            self.outside = outside
        }
    }

    package static let name = "Resize"
    /// The axes that change.
    public var axes: [Axis]
    /// How numbers between places are made.
    public var mode: Mode
    /// Where a new place lies in the old ones.
    public var coordinates: Coordinates
    /// Which place is the nearest.
    public var rounding: Rounding
    /// The a of cubic interpolation.
    public var cubicCoefficient: Float
    /// Places outside the input get no weight, and the others more; else the outermost place is repeated.
    public var excludesOutside: Bool
    /// Downsampling takes all inputs into account that an output covers.
    public var antialiases: Bool

    /// A resize of some axes.
    public init(
        axes: [Axis], mode: Mode = .nearest, coordinates: Coordinates = .halfPixel, rounding: Rounding = .roundPreferFloor,
        cubicCoefficient: Float = -0.75, excludesOutside: Bool = false, antialiases: Bool = false
    ) {
        self.axes = axes
        self.mode = mode
        self.coordinates = coordinates
        self.rounding = rounding
        self.cubicCoefficient = cubicCoefficient
        self.excludesOutside = excludesOutside
        self.antialiases = antialiases
    }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        try inputs.requireFloat()
        var shape = inputs[0].shape
        for axis in axes {
            let position = try Shape.axis(axis.axis, rank: shape.rank)
            guard let size = shape[position].known, size >= 1, size < 1 << 30, axis.size >= 1, axis.size < 1 << 30, axis.scale.isFinite,
                axis.scale > 1e-6, cubicCoefficient.isFinite, (axis.region != nil) == (coordinates == .cropAndResize),
                axis.region.map({ abs($0.start) < 1e6 && abs($0.end) < 1e6 && $0.outside.isFinite }) ?? true
            else { throw SpikeletError(.invalidModel, "axis \(axis.axis) of \(shape) cannot be resized to \(axis.size) by \(axis.scale)") }
            shape.dimensions[position] = Dimension(axis.size)
        }
        return [ValueType(.float32, shape)]
    }

    package func linearity(isConstant: [Bool]) -> Linearity {
        axes.allSatisfy { ($0.region?.outside ?? 0) == 0 } ? .linear : .affine
    }

    package var summary: String {
        mode.rawValue + ", " + axes.map { "axis \($0.axis): \($0.size)" }.joined(separator: ", ")
            + (mode == .nearest ? ", \(rounding.rawValue)" : "") + ", \(coordinates.rawValue)"
    }
}
