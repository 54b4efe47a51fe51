import SpikeGraph

extension NIRFolding {
    /// What a node makes of its inputs.
    ///
    /// - Returns: `nil` where it cannot be said; it stands in the findings then.
    mutating func take(_ node: Node) throws -> FoldedValue? {
        var inputs = node.inputs.map { value($0) }
        let constants = node.inputs.map { snn.constants[$0] }
        guard let shape = sampleShape(node.outputs[0]) else {
            return refuse(node, "a value of shape \(snn.types[node.outputs[0]]?.shape ?? [])")
        }
        guard inputs.allSatisfy({ $0.map { isRead($0, by: node) } ?? true }) else { return nil }
        if !takesPending(node) {
            for (index, input) in inputs.enumerated() {
                guard let input else { continue }
                guard let settled = settled(input) else { return nil }
                inputs[index] = settled
            }
        }
        switch node.operator {
        case .identity, .dropout, .voltageHook: return inputs[0]
        case .voltageScaler(let scaler) where scaler.axis != 1: return refuse(node, "scales along axis \(scaler.axis)")
        case .voltageScaler(let scaler): return inputs[0].flatMap { scale($0, by: scaler.scales, node) }
        case .mul:
            guard let (value, constant) = pair(inputs, constants), let factors = perChannel(constant, like: node.outputs[0]) else {
                return refuse(node, "a product that is no scale of channels")
            }
            return scale(value, by: factors, node)
        case .add:
            if let a = inputs[0], let b = inputs[1] { return sum(a, b, node) }
            guard let (value, constant) = pair(inputs, constants), let numbers = perChannel(constant, like: node.outputs[0]),
                numbers.count == 1 || numbers.count * value.places == value.channels
            else { return refuse(node, "a sum that differs from place to place") }
            return (profile.isExact ? single(value, node) : value).adding(value.spread(numbers))
        case .batchNormalization(let normalization):
            guard let value = inputs[0], let numbers = normalized(constants.compactMap { $0?.floats }, normalization.epsilon),
                numbers.scale.count * value.places == value.channels
            else { return refuse(node, "normalisation by values that are computed") }
            guard keepsOrder(value, numbers.scale) else { return nil }
            if profile.isExact { roundsOtherwise(node) }
            return value.scaled(by: value.spread(numbers.scale)).adding(value.spread(numbers.bias))
        case .concat(let concat):
            let rank = shape.count + 1
            let axis = try Shape.axis(concat.axis, rank: rank)
            return axis == 1 ? joined(inputs, node) : try placed(inputs, along: axis, shape: shape, node)
        case .conv(let conv):
            guard let value = inputs[0], let weight = constants[1] else { return refuse(node, "a convolution with computed weights") }
            return try convolution(value, conv, weight: weight, bias: constants.count > 2 ? constants[2] : nil, node)
        case .convTranspose(let conv): return try transposed(inputs[0], conv, constants, node)
        case .gemm(let gemm): return dense(inputs[0], gemm, constants, node)
        case .matMul:
            return dense(inputs[0], Gemm(), constants, node)
        case .averagePool(let pool): return try inputs[0].flatMap { try averagePool($0, pool, shape: shape, node) }
        case .globalAveragePool: return try inputs[0].flatMap { try wholeAverage($0, flattened: false, node) }
        case .reduceMean(let reduce):
            guard let value = inputs[0], let type = snn.types[node.inputs[0]] else { return nil }
            guard try reduce.reducedAxes(rank: type.shape.rank) == Set(2..<max(2, type.shape.rank)) else {
                return try moved(value, shape: shape, node)
            }
            return try wholeAverage(value, flattened: !reduce.keepsDimensions, node)
        case .flatten, .reshape:
            guard var value = inputs[0] else { return nil }
            if sampleShape(node.inputs[0]) == shape { return value }
            guard shape.count == 1 else {
                if let shuffled = shuffled(value, shape, node) { return shuffled }
                if isLast(node), value.postponed.isEmpty {
                    leaveShape(shape)
                    return value
                }
                return refuse(
                    node, "a change of shape other than flattening, for which NIR has no node",
                    advice: "convert a network that keeps its axes")
            }
            guard value.postponed.isEmpty else {
                value.postponed.append(node)
                return value
            }
            return flattened(value, node)
        case .neuron(let neuronNode): return try inputs[0].flatMap { try neurons($0, neuronNode, node) }
        case _ where snn.spikeCode.kind == .latency && [.nonlinear, .activation, .maximum].contains(snn.linearity(of: node)):
            return refuse(
                node, "\(node.operator.name) of whole numbers, in front of the neurons of a latency code",
                advice: "convert it by a streaming recipe, such as signed, to export it")
        case .runningMaximumPool, .maxPool, .globalMaxPool: return try inputs[0].flatMap { try maximumPool($0, node) }
        case .slice, .pad, .gather, .tile, .expand, .resize, .cumSum:
            guard let value = inputs[0] else { return refuse(node, "\(node.operator.name) of a constant") }
            return try moved(value, shape: shape, node)
        case .reduce(let reduce) where reduce.function == .sum: return try inputs[0].flatMap { try moved($0, shape: shape, node) }
        default:
            guard !profile.isArrays else { return opaque(inputs.compactMap { $0 }, shape: shape, node) }
            let isConstant = node.inputs.map { snn.constants[$0] != nil }
            switch node.operator.payload.linearity(isConstant: isConstant) {
            case .linear, .affine:
                return refuse(
                    node, "\(node.operator.name), for which NIR has no node",
                    advice: "convert a network that does without it, or keeps its axes")
            default: return refuse(node, "\(node.operator.name), which is not linear and acts on every step by itself")
            }
        }
    }

    /// A node that only plain arrays may go around: they hold the weights in front of it and behind it.
    mutating func opaque(_ inputs: [FoldedValue], shape: [Int], _ node: Node) -> FoldedValue {
        let name = add(.unsayable(node.operator.name), named: node.name)
        for input in inputs { connect(materialize(input, for: node.name), to: name) }
        return FoldedValue(terms: [.init(node: name, shape: shape, scale: [Float](repeating: 1, count: shape[0]))], shape: shape)
    }

    /// - Parameter advice: what would help; `nil`: nothing but another network.
    @discardableResult
    mutating func refuse(_ node: Node, _ what: String, advice: String? = nil) -> FoldedValue? {
        find(what, replacement: nil, node: node.name, advice: advice)
        return nil
    }

    private func pair(_ inputs: [FoldedValue?], _ constants: [Tensor?]) -> (FoldedValue, Tensor)? {
        if let value = inputs[0], let constant = constants[1] { return (value, constant) }
        if let value = inputs[1], let constant = constants[0] { return (value, constant) }
        return nil
    }

    /// A constant that is broadcast to a value, as one number for each of its channels; `nil` where it differs along another
    /// axis.
    private func perChannel(_ constant: Tensor, like value: String) -> [Float]? {
        guard let rank = snn.types[value]?.shape.rank, constant.rank <= rank, constant.elementType == .float32 else { return nil }
        let padded = [Int](repeating: 1, count: rank - constant.rank) + constant.shape
        guard padded.enumerated().allSatisfy({ $0.offset == 1 || $0.element == 1 }) else { return nil }
        return constant.floats
    }

    private mutating func scale(_ value: FoldedValue, by factors: [Float], _ node: Node) -> FoldedValue? {
        guard factors.count == 1 || factors.count * value.places == value.channels else {
            return refuse(node, "scales that differ from place to place")
        }
        let factors = value.spread(factors)
        guard keepsOrder(value, factors) else { return nil }
        return profile.isExact ? exactly(value, scaledBy: factors, node) : value.scaled(by: factors)
    }

    private func normalized(_ numbers: [[Float]], _ epsilon: Float) -> (scale: [Float], bias: [Float])? {
        guard numbers.count == 4 else { return nil }
        let scale = zip(numbers[0], numbers[3]).map { $0 / ($1 + epsilon).squareRoot() }
        return (scale, scale.indices.map { numbers[1][$0] - numbers[2][$0] * scale[$0] })
    }

    mutating func sum(_ a: FoldedValue, _ b: FoldedValue, _ node: Node) -> FoldedValue? {
        guard let aligned = aligned([a, b], node) else { return nil }
        guard aligned[0].shape == aligned[1].shape, aligned[0].phases == aligned[1].phases else {
            return refuse(node, "a sum of values of the shapes \(a.shape) and \(b.shape)")
        }
        // An edge more would change the order of a sum of three.
        let (a, b) = profile.isExact ? (single(aligned[0], node), single(aligned[1], node)) : (aligned[0], aligned[1])
        var result = a
        for term in b.terms {
            // An edge stands for its source once: what comes twice is scaled.
            if let index = result.terms.firstIndex(where: { $0.node == term.node && $0.offset == term.offset }) {
                result.terms[index].scale = zip(result.terms[index].scale, term.scale).map { $0 + $1 }
                result.terms[index].isExclusive = false
            } else {
                result.terms.append(term)
            }
        }
        result.most = a.most.flatMap { most in b.most.map { zip(most, $0).map { $0 + $1 } } }
        return b.bias.isEmpty ? result : result.adding(b.bias)
    }

    private mutating func joined(_ inputs: [FoldedValue?], _ node: Node) -> FoldedValue? {
        let given = inputs.compactMap { $0 }
        guard given.count == inputs.count else { return refuse(node, "concatenation with a constant") }
        guard let inputs = aligned(given, node) else { return nil }
        // Flattened in name alone, values follow one another as their channels do.
        guard inputs.allSatisfy({ $0.shape.dropFirst() == inputs[0].shape.dropFirst() && $0.phases == inputs[0].phases }) else {
            return refuse(node, "concatenation of values of the shapes \(inputs.map { "\($0.shape)" }.joined(separator: " and "))")
        }
        var result = inputs[0]
        (result.terms, result.bias, result.most) = ([], [], nil)
        result.shape[0] = inputs.reduce(0) { $0 + $1.channels }
        var bias: [Float] = []
        var most: [Float] = []
        for input in inputs {
            for term in input.terms {
                var moved = term
                moved.offset += bias.count
                moved.isExclusive = false
                result.terms.append(moved)
            }
            bias += input.bias.isEmpty ? [Float](repeating: 0, count: input.channels) : input.bias
            most += input.most ?? []
        }
        if most.count == result.channels { result.most = most }
        if bias.contains(where: { $0 != 0 }) { result.bias = bias }
        return result
    }

    // MARK: Weights

    /// The terms that one layer can read together: those that differ in their nodes alone.
    func groups(_ value: FoldedValue) -> [[FoldedValue.Term]] {
        var groups: [[FoldedValue.Term]] = []
        for term in value.terms {
            if let index = groups.firstIndex(where: {
                $0[0].offset == term.offset && $0[0].shape == term.shape && $0[0].scale == term.scale
                    && !$0.contains { $0.node == term.node }
            }) {
                groups[index].append(term)
            } else {
                groups.append([term])
            }
        }
        return groups
    }

    mutating func convolution(_ value: FoldedValue, _ conv: Conv, weight: Tensor, bias: Tensor?, _ node: Node) throws -> FoldedValue? {
        guard value.shape.count == conv.window.rank + 1, conv.window.rank <= 2 else {
            return refuse(node, "a convolution over \(conv.window.rank) axes: NIR has those over 1 and 2")
        }
        if value.pending != nil || value.isInterleaved { return try convolution(moving: value, conv, weight: weight, bias: bias, node) }
        let placement = try conv.window.placement(over: Array(value.shape.dropFirst()))
        if isSumPool(conv, weight, bias, placement) {
            return pooled(value, kernel: conv.window.kernel, stride: conv.window.strides, output: placement.output, node, isSum: true)
        }
        if profile.isExact {
            if placement.padsBegin == placement.padsEnd, !conv.window.ceilMode {
                return keep(plain(value, for: node.name), conv, weight: weight, bias: bias, padding: placement.padsBegin, node)
            }
            roundsOtherwise(node)
        }
        let kernel = SymmetricKernel(conv, weight: weight, over: Array(value.shape.dropFirst()), placement: placement)
        guard let kernel else { return refuse(node, "uneven padding of a dilated kernel") }
        // Padding is zero, and not what a bias would make of it.
        let value = value.bias.isEmpty ? value : plain(value, for: node.name)
        return layer(value, kernel, bias: bias?.floats, shape: [weight.shape[0]] + placement.output, base: node.name)
    }

    /// Convolution layers over all terms of a value, whose sum is the result.
    mutating func layer(_ value: FoldedValue, _ kernel: SymmetricKernel, bias: [Float]?, shape: [Int], base: String) -> FoldedValue {
        let ones = [Float](repeating: 1, count: shape[0])
        var terms: [FoldedValue.Term] = []
        for group in groups(value) {
            let (offset, scale) = (group[0].offset, group[0].scale)
            let weight = kernel.weight(channels: offset..<offset + scale.count, scale: scale)
            let zeros = [Float](repeating: 0, count: shape[0])
            let biases = Tensor(terms.isEmpty ? bias ?? zeros : zeros, shape: [shape[0]])
            let operation: NIROperation =
                shape.count == 1
                ? .affine(weight: weight, bias: biases)
                : .convolution(
                    NIRConvolution(
                        weight: weight, bias: biases, inputShape: Array(group[0].shape.dropFirst()), stride: kernel.strides,
                        padding: kernel.padding, dilation: kernel.dilations))
            let name = add(operation, named: base)
            connect(group.map(\.node), to: name)
            terms.append(.init(node: name, shape: shape, scale: ones, isExclusive: true))
        }
        return FoldedValue(terms: terms, shape: shape)
    }

    private mutating func dense(_ value: FoldedValue?, _ gemm: Gemm, _ constants: [Tensor?], _ node: Node) -> FoldedValue? {
        guard var value, let matrix = constants[1], matrix.rank == 2, !gemm.transposeA else {
            return refuse(node, "a product of other things than a value and a matrix")
        }
        let (rows, columns) = gemm.transposeB ? (matrix.shape[0], matrix.shape[1]) : (matrix.shape[1], matrix.shape[0])
        guard columns == value.shape.reduce(1, *) else { return refuse(node, "a product along another axis") }
        let stored = matrix.floats
        var weight = [Float](repeating: 0, count: rows * columns)
        for row in 0..<rows {
            for column in 0..<columns {
                weight[row * columns + column] = gemm.alpha * stored[gemm.transposeB ? row * columns + column : column * rows + row]
            }
        }
        var bias = [Float](repeating: 0, count: rows)
        if constants.count > 2 {
            guard let added = constants[2], added.count == rows || added.count == 1 else { return refuse(node, "a bias that is computed") }
            for row in 0..<rows { bias[row] = gemm.beta * added.floats[added.count == 1 ? 0 : row] }
        }
        if profile.isExact, gemm.alpha != 1 || gemm.beta != 1 || !gemm.transposeB { roundsOtherwise(node) }
        if profile.isExact { value = plain(value, for: node.name) }
        if value.shape.count > 1 {
            // Flattened in name alone: the layer is a convolution over everything.
            let spatial = Array(value.shape.dropFirst())
            if value.isInterleaved {
                if profile.isExact { roundsOtherwise(node) }
                weight = interleaved(weight, value)
            }
            let kernel = SymmetricKernel(whole: Tensor(weight, shape: [rows, value.channels] + spatial))
            let source = value.bias.isEmpty ? value : plain(value, for: node.name)
            return layer(source, kernel, bias: bias, shape: [rows] + spatial.map { _ in 1 }, base: node.name)
        }
        for (column, number) in value.bias.enumerated() where number != 0 {
            for row in 0..<rows { bias[row] += weight[row * columns + column] * number }
        }
        let ones = [Float](repeating: 1, count: rows)
        var terms: [FoldedValue.Term] = []
        for group in groups(value) {
            let (offset, scale) = (group[0].offset, group[0].scale)
            var part: [Float] = []
            for row in 0..<rows { for column in scale.indices { part.append(weight[row * columns + offset + column] * scale[column]) } }
            let name = add(
                .affine(
                    weight: Tensor(part, shape: [rows, scale.count]),
                    bias: Tensor(terms.isEmpty ? bias : bias.map { _ in 0 }, shape: [rows])), named: node.name)
            connect(group.map(\.node), to: name)
            terms.append(.init(node: name, shape: [rows], scale: ones, isExclusive: true))
        }
        return FoldedValue(terms: terms, shape: [rows])
    }
}

/// The weights of a convolution as NIR and all its readers take them: dense, the same padding on both sides of an axis, and
/// square kernels where that is possible (NIR's own check of shapes takes the first axis for both).
struct SymmetricKernel {
    let strides: [Int]
    let padding: [Int]
    let dilations: [Int]
    /// `[C_out, C_in, kernel…]`.
    private let dense: Tensor

    /// `nil` where pads differ, and dilation leaves no room to make them the same.
    init?(_ conv: Conv, weight: Tensor, over input: [Int], placement: Window.Placement) {
        let window = conv.window
        // Where the number of windows is rounded up, the last one reaches further than the pads.
        let padsEnd = input.indices.map { axis in
            let extent = (window.kernel[axis] - 1) * window.dilations[axis] + 1
            return max(
                placement.padsEnd[axis],
                (placement.output[axis] - 1) * window.strides[axis] + extent - input[axis] - placement.padsBegin[axis])
        }
        strides = window.strides
        dilations = window.dilations
        // Zeros before and behind the kernel; each goes with as much padding.
        var (before, behind) = (window.kernel.map { _ in 0 }, window.kernel.map { _ in 0 })
        for axis in window.kernel.indices {
            let difference = padsEnd[axis] - placement.padsBegin[axis]
            guard difference % window.dilations[axis] == 0 else { return nil }
            if difference > 0 {
                before[axis] = difference / window.dilations[axis]
            } else {
                behind[axis] = -difference / window.dilations[axis]
            }
        }
        let sizes = { window.kernel.indices.map { window.kernel[$0] + before[$0] + behind[$0] } }
        if let largest = sizes().max(), window.rank == 2, window.dilations[0] == window.dilations[1] {
            for axis in window.kernel.indices where (largest - sizes()[axis]) % 2 == 0 {
                let rim = (largest - sizes()[axis]) / 2
                before[axis] += rim
                behind[axis] += rim
            }
        }
        padding = window.kernel.indices.map { placement.padsBegin[$0] + before[$0] * window.dilations[$0] }
        let kernel = sizes()
        let (outputs, inputs) = (weight.shape[0], weight.shape[1] * conv.groups)
        let (oldSize, newSize) = (window.kernel.reduce(1, *), kernel.reduce(1, *))
        var values = [Float](repeating: 0, count: outputs * inputs * newSize)
        let stored = weight.floats
        for output in 0..<outputs {
            let first = output / (outputs / conv.groups) * weight.shape[1]
            for input in 0..<weight.shape[1] {
                for place in 0..<oldSize {
                    var (rest, target, stride) = (place, 0, 1)
                    for axis in window.kernel.indices.reversed() {
                        target += (rest % window.kernel[axis] + before[axis]) * stride
                        rest /= window.kernel[axis]
                        stride *= kernel[axis]
                    }
                    values[(output * inputs + first + input) * newSize + target] =
                        stored[(output * weight.shape[1] + input) * oldSize + place]
                }
            }
        }
        dense = Tensor(values, shape: [outputs, inputs] + kernel)
    }

    /// A kernel as large as what it reads.
    init(whole weight: Tensor) {
        let ones = weight.shape.dropFirst(2).map { _ in 1 }
        (strides, dilations, padding) = (ones, ones, ones.map { _ in 0 })
        dense = weight
    }

    /// A kernel whose padding is the same on both sides already.
    init(dense: Tensor, strides: [Int], padding: [Int]) {
        (self.dense, self.strides, self.padding) = (dense, strides, padding)
        dilations = strides.map { _ in 1 }
    }

    /// `[C_out, C_in, kernel…]`.
    var shape: [Int] { dense.shape }

    /// What each output is at most where each input is at most so much; `nil` where a weight is negative.
    func most(_ inputs: [Float]) -> [Float]? {
        let size = dense.shape.dropFirst(2).reduce(1, *)
        var sums = [Float](repeating: 0, count: dense.shape[0])
        for (index, weight) in dense.floats.enumerated() where weight != 0 {
            guard weight > 0 else { return nil }
            sums[index / size / inputs.count] += weight * inputs[index / size % inputs.count]
        }
        return sums
    }

    /// The part that reads some of the channels, each scaled.
    func weight(channels: Range<Int>, scale: [Float]) -> Tensor {
        let (outputs, inputs) = (dense.shape[0], dense.shape[1])
        let size = dense.shape.dropFirst(2).reduce(1, *)
        let stored = dense.floats
        var values: [Float] = []
        values.reserveCapacity(outputs * channels.count * size)
        for output in 0..<outputs {
            for (position, channel) in channels.enumerated() {
                let start = (output * inputs + channel) * size
                for index in start..<start + size { values.append(stored[index] * scale[position]) }
            }
        }
        return Tensor(values, shape: [outputs, channels.count] + dense.shape.dropFirst(2))
    }
}
