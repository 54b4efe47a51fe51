/// The sliding window of convolutions and pools, as ONNX declares it: sizes per spatial axis, all defaults filled in.
public struct Window: Hashable, Sendable, Codable {
    /// ONNX's `auto_pad`. With anything but `notSet` the pads follow from the input's size.
    public enum AutoPad: String, Hashable, Sendable, Codable {
        /// The padding is given.
        case notSet = "NOTSET"
        /// As much padding as makes ⌈size / stride⌉ places, the odd one at the end.
        case sameUpper = "SAME_UPPER"
        /// The same, the odd one at the beginning.
        case sameLower = "SAME_LOWER"
        /// No padding.
        case valid = "VALID"
    }

    /// The size along each axis.
    public var kernel: [Int]
    /// The steps along each axis.
    public var strides: [Int]
    /// The distance of a window's places along each axis.
    public var dilations: [Int]
    /// Pads before the first element of each axis, then (in ``padsEnd``) after the last.
    public var padsBegin: [Int]
    /// What is added behind each axis.
    public var padsEnd: [Int]
    /// How padding is chosen.
    public var autoPad: AutoPad
    /// Rounds the number of window positions up instead of down. A window that would start in the padding behind the
    /// input is left out all the same, as PyTorch and ONNX do.
    public var ceilMode: Bool

    /// - Parameters: absent strides and dilations are 1, absent pads 0, as in ONNX.
    public init(
        kernel: [Int], strides: [Int]? = nil, dilations: [Int]? = nil, padsBegin: [Int]? = nil, padsEnd: [Int]? = nil,
        autoPad: AutoPad = .notSet, ceilMode: Bool = false
    ) {
        self.kernel = kernel
        self.strides = strides ?? kernel.map { _ in 1 }
        self.dilations = dilations ?? kernel.map { _ in 1 }
        self.padsBegin = padsBegin ?? kernel.map { _ in 0 }
        self.padsEnd = padsEnd ?? kernel.map { _ in 0 }
        self.autoPad = autoPad
        self.ceilMode = ceilMode
    }

    /// The spatial rank.
    public var rank: Int { kernel.count }

    /// The window over an input of known size: pads and output sizes as numbers.
    public struct Placement: Hashable, Sendable {
        /// What is added before each axis.
        public var padsBegin: [Int]
        /// What is added behind each axis.
        public var padsEnd: [Int]
        /// The size of the result along each axis.
        public var output: [Int]

        /// A window fitted to an input.
        public init(padsBegin: [Int], padsEnd: [Int], output: [Int]) {
            self.padsBegin = padsBegin
            self.padsEnd = padsEnd
            self.output = output
        }
    }

    /// Places the window over an input.
    ///
    /// - Parameter input: the spatial sizes.
    /// - Throws: where the sizes are no sizes, or the window does not fit once.
    public func placement(over input: [Int]) throws -> Placement {
        guard input.count == rank, strides.count == rank, dilations.count == rank, padsBegin.count == rank, padsEnd.count == rank else {
            throw SpikeletError(
                .invalidModel,
                "a window of \(rank) axes with \(strides.count) strides, \(dilations.count) dilations and "
                    + "\(padsBegin.count)+\(padsEnd.count) pads over an input of \(input.count) spatial axes")
        }
        let limit = 1 << 30
        guard (kernel + strides + dilations).allSatisfy({ $0 >= 1 && $0 < limit }),
            (padsBegin + padsEnd).allSatisfy({ $0 >= 0 && $0 < limit })
        else {
            throw SpikeletError(
                .invalidModel,
                "kernel \(kernel), strides \(strides) and dilations \(dilations) must be at least 1, pads \(padsBegin + padsEnd) at least 0"
            )
        }
        guard input.allSatisfy({ $0 >= 1 && $0 < limit }) else {
            throw SpikeletError(.invalidModel, "a window over an input of spatial sizes \(input)")
        }
        var placement = Placement(padsBegin: padsBegin, padsEnd: padsEnd, output: [])
        for axis in 0..<rank {
            let (size, stride) = (input[axis], strides[axis])
            let extent = (kernel[axis] - 1) * dilations[axis] + 1
            let positions: Int
            switch autoPad {
            case .sameUpper, .sameLower:
                positions = (size + stride - 1) / stride
                let total = max(0, (positions - 1) * stride + extent - size)
                placement.padsBegin[axis] = autoPad == .sameUpper ? total / 2 : total - total / 2
                placement.padsEnd[axis] = total - placement.padsBegin[axis]
            case .notSet, .valid:
                if autoPad == .valid { (placement.padsBegin[axis], placement.padsEnd[axis]) = (0, 0) }
                let room = size + placement.padsBegin[axis] + placement.padsEnd[axis] - extent
                // Rounding up makes room for one window that sticks out, even for the first one.
                let steps = ceilMode ? room + stride - 1 : room
                guard steps >= 0 else {
                    throw SpikeletError(
                        .invalidModel,
                        "a window of extent \(extent) does not fit an input of size \(size) with pads "
                            + "\(placement.padsBegin[axis]) and \(placement.padsEnd[axis])")
                }
                let rounded = steps / stride
                let startsInPadding = ceilMode && rounded * stride >= size + placement.padsBegin[axis]
                positions = startsInPadding ? rounded : rounded + 1
            }
            placement.output.append(positions)
        }
        return placement
    }

    /// The shape rule of pools: a window that saw nothing but padding would have neither a maximum nor a mean.
    func pooledShape(_ input: Shape) throws -> Shape {
        let output = try outputShape(input)
        let sizes = input.dimensions.dropFirst(2).compactMap(\.known)
        let placement = try placement(over: sizes)
        for axis in 0..<rank {
            // The first place that is not in front of the input has to lie in it.
            for position in 0..<placement.output[axis] {
                let start = position * strides[axis] - placement.padsBegin[axis]
                let skipped = start < 0 ? (-start + dilations[axis] - 1) / dilations[axis] : 0
                guard skipped < kernel[axis], start + skipped * dilations[axis] < sizes[axis] else {
                    throw SpikeletError(
                        .unsupported,
                        "a pool of kernel \(kernel) over an input of shape \(input) has a window that lies wholly in the padding",
                        remedy: "make the pads smaller than the kernel")
                }
            }
        }
        return output
    }

    /// `N, C, spatial…` → the same with the output's spatial sizes.
    func outputShape(_ input: Shape, channels: Dimension? = nil) throws -> Shape {
        guard input.rank == rank + 2 else {
            throw SpikeletError(.invalidModel, "an input of shape \(input) where \(rank + 2) axes (N, C and \(rank) spatial) are needed")
        }
        let spatial = input.dimensions.dropFirst(2).compactMap(\.known)
        guard spatial.count == rank else {
            throw SpikeletError(
                .unsupported, "the spatial sizes of \(input) are open",
                remedy: "export the model with fixed image sizes; only the batch may stay open")
        }
        return Shape([input[0], channels ?? input[1]] + (try placement(over: spatial)).output.map { Dimension($0) })
    }

    var summary: String {
        func text(_ sizes: [Int]) -> String { Set(sizes).count == 1 ? "\(sizes[0])" : sizes.map(String.init).joined(separator: "×") }
        var parts = ["kernel \(kernel.map(String.init).joined(separator: "×"))"]
        if strides.contains(where: { $0 != 1 }) { parts.append("stride \(text(strides))") }
        if dilations.contains(where: { $0 != 1 }) { parts.append("dilation \(text(dilations))") }
        if autoPad != .notSet {
            parts.append(autoPad.rawValue)
        } else if (padsBegin + padsEnd).contains(where: { $0 != 0 }) {
            parts.append(padsBegin == padsEnd ? "pad \(text(padsBegin))" : "pads \(padsBegin + padsEnd)")
        }
        if ceilMode { parts.append("ceil") }
        return parts.joined(separator: ", ")
    }
}
