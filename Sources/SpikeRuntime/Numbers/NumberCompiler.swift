internal import CSpikeKernels
internal import SpikeGraph

/// Makes a ``NumberProgram`` of a network whose neurons are digit and radix neurons, or those of a latency code.
struct NumberCompiler {
    private let graph: Graph
    private let precision: Precision
    private let producers: [String: Node]
    private let consumers: [String: [Node]]
    /// The values that outputs are read from.
    private let shown: Set<String>
    private let readout: Set<String>
    private var program = NumberProgram()
    /// Nodes that are part of another stage.
    private var taken: Set<String> = []
    /// Of values that are sent as whole numbers, how.
    private var encodings: [String: NumberStage.Encoding] = [:]
    /// Values that go by another name: an addition that a product has taken in.
    private var stagesOfValues: [String: Int] = [:]

    /// `nil` where the network has neither digit neurons nor a latency code, or other neurons beside them.
    init?(_ graph: Graph, precision: Precision) {
        guard let description = graph.spiking, description.schedule == .layerSynchronous else { return nil }
        let code = description.code
        guard code.kind == .latency || code.kind == .radix && code.base == 2 else { return nil }
        var hasDigits = code.kind == .latency
        for node in graph.nodes {
            guard case .neuron(let neurons) = node.operator else { continue }
            guard neurons.initialOffsets.isEmpty, neurons.isNumber(in: code) else { return nil }
            if neurons.neuron is DigitNeuron { hasDigits = true }
        }
        guard hasDigits else { return nil }
        self.graph = graph
        self.precision = precision
        (producers, consumers) = (graph.producers, graph.consumers)
        readout = graph.readoutNodes
        let acting = graph.nodes.filter { [readout] in readout.contains($0.name) }
        shown = Set(graph.outputs.map(\.value) + acting.flatMap(\.inputs)).subtracting(acting.flatMap(\.outputs)).subtracting(
            graph.constants.keys)
    }

    /// - Throws: ``SpikeletError`` where an output is not float32.
    mutating func callAsFunction() throws -> NumberProgram {
        for value in shown.sorted() where graph.types[value]?.elementType != .float32 {
            let type = graph.types[value].map { "\($0)" } ?? "unknown"
            throw SpikeletError(
                .unsupported, "output '\(value)' of type \(type)", remedy: "what is accumulated over the steps is float32")
        }
        program.outputs = shown.sorted()
        for node in graph.nodes where !readout.contains(node.name) && !taken.contains(node.name) {
            let (output, work) = stage(for: node)
            if takesIn(node, work) { continue }
            stagesOfValues[output] = program.stages.count
            program.stages.append(NumberStage(node: node, inputs: read(node, work), output: output, work: work))
        }
        keepConstants()
        var remaining = shown
        var lastReads: [[String]] = []
        for stage in program.stages.reversed() {
            lastReads.append((stage.inputs + [stage.output]).filter { remaining.insert($0).inserted })
        }
        program.lastReads = lastReads.reversed()
        return program
    }

    /// What a stage reads at run time.
    private func read(_ node: Node, _ work: NumberStage.Work) -> [String] {
        switch work {
        case .panels, .convolution, .depthwise, .standardise, .encode, .function, .reduce, .view, .transpose, .slice, .pick:
            [node.inputs[0]]
        default: node.inputs
        }
    }

    private mutating func keepConstants() {
        for stage in program.stages {
            if case .generic = stage.work { continue }
            for name in stage.inputs where program.constants[name] == nil {
                guard let constant = graph.constants[name], constant.elementType == .float32 else { continue }
                program.constants[name] = NumberConstant(shape: constant.shape, memory: constant.withFloats { Memory(Array($0)) })
            }
        }
    }

    private func constant(_ name: String) -> Tensor? {
        graph.constants[name].flatMap { $0.elementType == .float32 ? $0 : nil }
    }

    private func isFloat(_ name: String) -> Bool { graph.types[name]?.elementType == .float32 }

    private func rank(_ name: String) -> Int { graph.types[name]?.shape.rank ?? 0 }

    /// The reader of a value, if there is but one and nobody sees it.
    private func onlyReader(_ value: String) -> Node? {
        guard !shown.contains(value), let readers = consumers[value], readers.count == 1, !readout.contains(readers[0].name) else {
            return nil
        }
        return readers[0]
    }

    // MARK: Nodes

    private mutating func stage(for node: Node) -> (output: String, work: NumberStage.Work) {
        if let encoding = encoding(from: node) { return encoding }
        return (node.outputs[0], work(of: node))
    }

    private mutating func work(of node: Node) -> NumberStage.Work {
        if case .gather(let gather) = node.operator, isFloat(node.inputs[0]), graph.constants[node.inputs[0]] == nil,
            let indices = graph.constants[node.inputs[1]], indices.elementType == .int64,
            let shape = graph.types[node.inputs[0]]?.shape, let axis = try? Shape.axis(gather.axis, rank: shape.rank),
            let size = shape[axis].known
        {
            return .pick(axis: axis, places: indices.integers.map { Int($0) + ($0 < 0 ? size : 0) }, shape: indices.shape)
        }
        guard node.inputs.allSatisfy(isFloat), node.outputs.allSatisfy(isFloat) else { return .generic(reason: "it is not of float32") }
        let constants = node.inputs.map { graph.constants[$0] != nil }
        switch node.operator {
        case .conv(let conv):
            return convolution(node, conv) ?? .generic(reason: "its weights are no constants, or it has more than two axes of places")
        case .gemm(let gemm):
            return panels(node, gemm) ?? .generic(reason: "its weights are no constants, or its first factor is transposed")
        case .matMul:
            if constants == [false, true], let panels = panels(node, Gemm()) { return panels }
            return node.inputs.allSatisfy { rank($0) >= 2 } ? .matrices : .generic(reason: "a product with a vector")
        case .neuron(let neurons):
            return .encode(encoding(neurons, axis: nil, inverse: [1], steps: [1], readers: [], neuron: node.name))
        case .voltageScaler(let scaler):
            if scaler.scales.count == 1 { return .function(SPIKE_FUNCTION_SCALE, alpha: scaler.scales[0], beta: 0) }
            return .generic(reason: "scales of channels without neurons")
        case .add: return .pair(SPIKE_PAIR_ADD)
        case .mul: return .pair(SPIKE_PAIR_MULTIPLY)
        case .binary(let binary):
            switch binary.function {
            case .add: return .pair(SPIKE_PAIR_ADD)
            case .multiply: return .pair(SPIKE_PAIR_MULTIPLY)
            case .subtract: return .pair(SPIKE_PAIR_SUBTRACT)
            case .divide: return .pair(SPIKE_PAIR_DIVIDE)
            default: return .generic(reason: "a function without a kernel")
            }
        case .unary(let unary):
            guard let function = unary.kernel else { return .generic(reason: "a function without a kernel") }
            return .function(function, alpha: unary.parameters.first ?? 0, beta: unary.parameters.count > 1 ? unary.parameters[1] : 0)
        case .sigmoid: return .function(SPIKE_FUNCTION_SIGMOID, alpha: 0, beta: 0)
        case .relu: return .function(SPIKE_FUNCTION_CLIP, alpha: 0, beta: .infinity)
        case .clip(let clip):
            return .function(SPIKE_FUNCTION_CLIP, alpha: clip.minimum ?? -.infinity, beta: clip.maximum ?? .infinity)
        case .layerNormalization(let normalization): return standardisation(node, normalization)
        case .softmax(let softmax):
            let isLast = softmax.axis == -1 || softmax.axis == rank(node.inputs[0]) - 1
            return isLast && rank(node.inputs[0]) > 0 ? .softmax : .generic(reason: "a softmax along another axis than the last")
        case .reduceMean(let reduce): return reduction(node, SPIKE_REDUCE_MEAN, reduce.axes, reduce.keepsDimensions)
        case .reduce(let reduce) where reduce.function == .sum:
            return reduction(node, SPIKE_REDUCE_SUM, reduce.axes, reduce.keepsDimensions)
        case .reduce(let reduce) where reduce.function == .maximum:
            return reduction(node, SPIKE_REDUCE_MAXIMUM, reduce.axes, reduce.keepsDimensions)
        case .globalAveragePool: return reduction(node, SPIKE_REDUCE_MEAN, Array(2..<rank(node.inputs[0])), true)
        case .reshape, .flatten, .identity, .dropout, .voltageHook: return .view
        case .transpose(let transpose) where rank(node.inputs[0]) <= Int(SPIKE_LARGEST_RANK): return .transpose(transpose.permutation)
        case .slice(let slice) where rank(node.inputs[0]) <= Int(SPIKE_LARGEST_RANK) && slice.cuts.allSatisfy { $0.step > 0 }:
            return .slice(slice)
        case .concat(let concat): return .concat(axis: concat.axis)
        default: return .generic(reason: "an operator without a kernel")
        }
    }

    private func reduction(_ node: Node, _ reduction: spike_reduction, _ axes: [Int], _ keepsDimensions: Bool) -> NumberStage.Work {
        let rank = rank(node.inputs[0])
        guard let axes = try? ReduceMean(axes: axes).reducedAxes(rank: rank), let first = axes.min(), let last = axes.max(),
            last - first + 1 == axes.count
        else { return .generic(reason: "axes that are no neighbours") }
        return .reduce(reduction, axes: axes, keepsDimensions: keepsDimensions)
    }

    private func standardisation(_ node: Node, _ normalization: LayerNormalization) -> NumberStage.Work {
        guard let shape = graph.types[node.inputs[0]]?.shape, let axis = try? Shape.axis(normalization.axis, rank: shape.rank),
            let sizes = Shape(Array(shape.dimensions[axis...])).known
        else { return .generic(reason: "a normalisation over axes of open sizes") }
        let length = sizes.reduce(1, *)
        let parameters = node.inputs.dropFirst().map { constant($0) }
        guard parameters.allSatisfy({ $0.map { $0.shape.drop { $0 == 1 } == sizes.drop { $0 == 1 } && $0.count == length } ?? false })
        else {
            return .generic(reason: "a normalisation whose gain is not one number a place")
        }
        let memories = parameters.compactMap { $0.map { Memory($0.floats) } }
        return .standardise(
            axes: shape.rank - axis, epsilon: normalization.epsilon, isCentred: normalization.isCentered, gain: memories.first,
            bias: memories.count > 1 ? memories[1] : nil)
    }

    // MARK: Neurons

    /// Neurons between a scaler that puts potentials into units of their step, and one that takes them back.
    private mutating func encoding(from node: Node) -> (output: String, work: NumberStage.Work)? {
        guard case .voltageScaler(let inverse) = node.operator, let neuron = onlyReader(node.outputs[0]),
            case .neuron(let neurons) = neuron.operator, let scaler = onlyReader(neuron.outputs[0]),
            case .voltageScaler(let step) = scaler.operator, inverse.scales.count == step.scales.count, inverse.axis == step.axis
        else { return nil }
        taken.formUnion([neuron.name, scaler.name])
        let encoding = encoding(
            neurons, axis: step.scales.count == 1 ? nil : step.axis, inverse: inverse.scales, steps: step.scales,
            readers: finalReaders(of: scaler.outputs[0], movesAreFree: step.scales.count == 1), neuron: neuron.name)
        encodings[scaler.outputs[0]] = encoding
        return (scaler.outputs[0], .encode(encoding))
    }

    private func encoding(
        _ neurons: NeuronNode, axis: Int?, inverse: [Float], steps: [Float], readers: [(node: Node, position: Int)], neuron: String
    ) -> NumberStage.Encoding {
        let (digits, isSigned) = (neurons.sentDigits ?? 0, neurons.neuron is DigitNeuron)
        let latency = (neurons.neuron as? LatencyNeuron).map { NumberStage.Ladder($0) }
        var kind = NumberKind.floats
        if precision == .int8, latency == nil {
            let weighs = readers.contains { $0.position == 0 && readsWholeNumbers($0.node) }
            let multiplies = readers.contains { if case .matMul = $0.node.operator { graph.isProduct($0.node) } else { false } }
            if weighs, digits <= (isSigned ? 7 : 8) {
                kind = .bytes(offset: isSigned ? 128 : 0)
            } else if weighs || multiplies, digits <= 15 {
                kind = .shorts
            }
        }
        return NumberStage.Encoding(
            digits: digits, latency: latency, isSigned: isSigned, axis: axis, inverse: Memory(inverse), step: Memory(steps), steps: steps,
            kind: kind,
            neuron: neuron)
    }

    /// Who reads a value, also where it only lies in another order.
    private func finalReaders(of value: String, movesAreFree: Bool) -> [(node: Node, position: Int)] {
        (consumers[value] ?? []).flatMap { reader -> [(node: Node, position: Int)] in
            if movesAreFree, isMove(reader) { return finalReaders(of: reader.outputs[0], movesAreFree: true) }
            return reader.inputs.indices.filter { reader.inputs[$0] == value }.map { (reader, $0) }
        }
    }

    private func isMove(_ node: Node) -> Bool {
        switch node.operator {
        case .reshape, .flatten, .identity, .dropout, .transpose, .slice: true
        case .gather: graph.constants[node.inputs[1]] != nil && graph.constants[node.inputs[0]] == nil
        default: false
        }
    }

    /// Whether a node is a product of numbers and constant weights that may be 8 bits.
    private func readsWholeNumbers(_ node: Node) -> Bool {
        guard node.inputs.count > 1, constant(node.inputs[1]) != nil else { return false }
        switch node.operator {
        case .conv(let conv): return conv.groups == 1 || constant(node.inputs[1]).map { $0.shape[1] > 1 } ?? false
        case .gemm(let gemm): return !gemm.transposeA
        case .matMul: return rank(node.inputs[1]) == 2
        default: return false
        }
    }

    /// How the numbers come that a node reads, looked up behind moves.
    private func arriving(_ value: String) -> NumberStage.Encoding? {
        if let known = encodings[value] { return known }
        guard let producer = producers[value], isMove(producer), let known = arriving(producer.inputs[0]), known.steps.count == 1 else {
            return nil
        }
        return known
    }

    // MARK: Weights

    private mutating func panels(_ node: Node, _ gemm: Gemm) -> NumberStage.Work? {
        guard !gemm.transposeA, let weights = constant(node.inputs[1]), weights.rank == 2 else { return nil }
        let (depth, columns) = gemm.transposeB ? (weights.shape[1], weights.shape[0]) : (weights.shape[0], weights.shape[1])
        guard depth > 0, columns > 0 else { return nil }
        var bias: [Float]?
        if node.inputs.count > 2 {
            guard let constant = constant(node.inputs[2]),
                constant.count == 1 || constant.shape.last == columns && constant.count == columns
            else {
                return nil
            }
            bias = (0..<columns).map { gemm.beta * constant.floats[constant.count == 1 ? 0 : $0] }
        }
        let scaled = gemm.alpha == 1 ? weights : weights.map { $0 * gemm.alpha }
        return scaled.withFloats { values in
            guard let start = values.baseAddress else { return nil }
            let matrix = NumberStage.Panels.Matrix(
                values: start, offsets: (0..<depth).map { $0 * (gemm.transposeB ? 1 : columns) }, stride: gemm.transposeB ? depth : 1,
                columns: columns)
            return .panels(packed(node, matrix, bias: bias) { $0 })
        }
    }

    /// - Parameter channel: the channel that input k belongs to.
    private mutating func packed(
        _ node: Node, _ matrix: NumberStage.Panels.Matrix, bias: [Float]?, channel: (Int) -> Int
    ) -> NumberStage.Panels {
        guard precision == .int8 else { return NumberStage.Panels(matrix, bias: bias) }
        let isLatency = graph.spikeCode.kind == .latency
        var reason = isLatency ? "the levels of a latency code are no whole numbers" : "it reads what is not sent as digits"
        if let encoding = arriving(node.inputs[0]) {
            let rank = rank(node.inputs[0])
            let depthAxis = if case .conv = node.operator { 1 } else { rank - 1 }
            if let axis = encoding.axis, (axis < 0 ? axis + rank : axis) != depthAxis {
                reason = "its inputs' steps differ along another axis"
            } else if encoding.kind == .floats {
                reason = isLatency ? reason : "\(encoding.digits) digits are more than 16 bits hold"
            } else if let panels = NumberStage.Panels(
                matrix, bias: bias, steps: { encoding.steps[encoding.steps.count == 1 ? 0 : channel($0)] }, largest: encoding.largest,
                kind: encoding.kind)
            {
                return panels
            } else {
                reason = "its sums could leave 32 bits"
            }
        }
        if !program.floatLayers.contains(where: { $0.node == node.name }) { program.floatLayers.append((node.name, reason)) }
        return NumberStage.Panels(matrix, bias: bias)
    }

    private mutating func convolution(_ node: Node, _ conv: Conv) -> NumberStage.Work? {
        guard conv.window.rank <= 2, let weights = constant(node.inputs[1]), weights.count > 0,
            let channels = graph.types[node.inputs[0]]?.shape[1].known
        else { return nil }
        var bias: [Float]?
        if node.inputs.count > 2 {
            guard let constant = constant(node.inputs[2]) else { return nil }
            bias = constant.floats
        }
        let (features, places) = (weights.shape[0], conv.window.kernel.reduce(1, *))
        let (groupChannels, groupFeatures) = (channels / conv.groups, features / conv.groups)
        if groupChannels == 1, groupFeatures == 1 {
            if precision == .int8 { program.floatLayers.append((node.name, "depthwise synapses are computed in float32")) }
            let values = weights.floats
            let turned = (0..<places * features).map { values[$0 % features * places + $0 / features] }
            return .depthwise(.init(window: conv.window, weights: Memory(turned), bias: bias.map { Memory($0) }))
        }
        return weights.withFloats { values in
            guard let start = values.baseAddress else { return nil }
            let groups = (0..<conv.groups).map { group in
                // Of each place the channels, as images lie.
                let offsets = (0..<places * groupChannels).map { $0 % groupChannels * places + $0 / groupChannels }
                let matrix = NumberStage.Panels.Matrix(
                    values: start + group * groupFeatures * groupChannels * places, offsets: offsets, stride: groupChannels * places,
                    columns: groupFeatures)
                return packed(
                    node, matrix, bias: bias.map { Array($0[group * groupFeatures..<(group + 1) * groupFeatures]) }
                ) { group * groupChannels + $0 % groupChannels }
            }
            // All groups are read in one way.
            guard Set(groups.map { $0.kind.size }).count == 1 else {
                return nil
            }
            return .convolution(
                .init(window: conv.window, inputChannels: channels, outputChannels: features, groups: groups))
        }
    }

    /// Whether an addition of one constant a column goes with the product in front of it.
    private mutating func takesIn(_ node: Node, _ work: NumberStage.Work) -> Bool {
        guard case .pair(SPIKE_PAIR_ADD) = work, let position = node.inputs.firstIndex(where: { graph.constants[$0] != nil }),
            let constant = constant(node.inputs[position]), let index = stagesOfValues[node.inputs[1 - position]],
            case .panels(var panels) = program.stages[index].work, panels.bias == nil, constant.count == panels.columns,
            constant.shape.last == panels.columns, constant.rank <= rank(node.inputs[1 - position]),
            onlyReader(node.inputs[1 - position])?.name == node.name
        else { return false }
        panels.bias = NumberStage.Panels.filled(constant.floats)
        program.stages[index].work = .panels(panels)
        program.stages[index].output = node.outputs[0]
        stagesOfValues[node.outputs[0]] = index
        return true
    }
}

extension NeuronNode {
    /// K of a neuron that sends a number's digits.
    fileprivate var sentDigits: Int? {
        switch neuron {
        case let neuron as DigitNeuron: neuron.digits
        case let neuron as RadixNeuron: neuron.digits
        default: nil
        }
    }

    /// Whether its spikes say one number in all.
    fileprivate func isNumber(in code: SpikeCode) -> Bool { code.kind == .latency ? neuron is LatencyNeuron : sentDigits != nil }
}

extension Unary {
    /// The kernel that computes it.
    fileprivate var kernel: spike_function? {
        switch function {
        case .abs: SPIKE_FUNCTION_ABS
        case .elu: SPIKE_FUNCTION_ELU
        case .erf: SPIKE_FUNCTION_ERF
        case .exp: SPIKE_FUNCTION_EXP
        case .gelu: parameters.first == 1 ? SPIKE_FUNCTION_GELU_TANH : SPIKE_FUNCTION_GELU
        case .hardSigmoid: SPIKE_FUNCTION_HARD_SIGMOID
        case .hardSwish: SPIKE_FUNCTION_HARD_SWISH
        case .leakyRelu: SPIKE_FUNCTION_LEAKY
        case .reciprocal: SPIKE_FUNCTION_RECIPROCAL
        case .sqrt: SPIKE_FUNCTION_SQRT
        case .swish: SPIKE_FUNCTION_SWISH
        case .tanh: SPIKE_FUNCTION_TANH
        default: nil
        }
    }
}
