import SpikeGraph

/// Makes spiking networks of random operators, shapes and dyadic weights, so that every sum is exact in float32.
struct RandomNetwork {
    enum Family: CaseIterable {
        case integrateAndFire, hardReset, signed, burst, radix, unary
        /// Digits whose number differs from layer to layer.
        case mixed
    }

    private struct Value {
        var name: String
        /// Behind the batch.
        var shape: [Int]
        var isSpiking = false
        /// Operators since the last neuron: exactness needs few.
        var distance = 0
    }

    private var random: SeededGenerator
    private let family: Family
    private let isDyadic: Bool
    private var nodes: [Node] = []
    private var constants: [String: Tensor] = [:]
    private var values: [Value] = []
    private var count = 0
    let digits: Int

    /// - Parameter isDyadic: weights are small multiples of powers of two, so that no sum is ever rounded; else any numbers.
    static func make(seed: Int, family: Family, isDyadic: Bool = true) throws -> (graph: Graph, input: Tensor, steps: Int) {
        var network = RandomNetwork(seed: seed, family: family, isDyadic: isDyadic)
        return try network.build()
    }

    private init(seed: Int, family: Family, isDyadic: Bool) {
        self.isDyadic = isDyadic
        // Another network for each family, too.
        random = SeededGenerator(seed * 6 + (Family.allCases.firstIndex(of: family) ?? 0))
        self.family = family
        digits = random.int(1...5)
    }

    private mutating func build() throws -> (Graph, Tensor, Int) {
        let rank = random.pick([4, 4, 4, 4, 3, 2])
        var shape = [random.int(1...5)]
        if rank == 2 { shape = [random.int(3...70)] }
        if rank == 3 { shape.append(random.int(3...20)) }
        if rank == 4 { shape += [random.int(3...10), random.int(3...10)] }
        values = [Value(name: "x", shape: shape)]
        var current = values[0]
        for _ in 0..<random.int(3...9) {
            current = grow(current)
            values.append(current)
        }
        if random.chance(0.8) { current = classify(current) }
        if random.chance(0.2) { current = add("softmax", .softmax(Softmax()), [current.name], current.shape, current) }
        var outputs = [Graph.Output("y", value: current.name)]
        if random.chance(0.2), let other = values.last { outputs.append(Graph.Output("z", value: other.name)) }
        let radix = family == .radix || family == .mixed
        let layered = radix || family == .unary
        let steps = radix ? digits : random.pick([1, 2, 3, 5, 8, 13, 17, 32, 64])
        let description = SpikingDescription(
            recipe: "test", schedule: layered ? .layerSynchronous : .streaming, code: radix ? .radix(digits: digits) : .rate())
        let graph = try Graph(
            name: "random", inputs: [.init("x", ValueType(.float32, Shape([.batch] + shape.map { Dimension($0) })))], outputs: outputs,
            nodes: nodes,
            constants: constants, spiking: description)
        return (graph, numbers([random.int(1...3)] + shape, bits: 2, limit: 4), steps)
    }

    private mutating func numbers(_ shape: [Int], bits: Int, limit: Int) -> Tensor {
        if isDyadic { return random.dyadic(shape, bits: bits, limit: limit) }
        let range = Float(sign: .plus, exponent: -bits, significand: Float(limit))
        return random.uniform(shape, -range...range)
    }

    private mutating func constant(_ tensor: Tensor) -> String {
        count += 1
        constants["c\(count)"] = tensor
        return "c\(count)"
    }

    private mutating func add(_ name: String, _ op: Operator, _ inputs: [String], _ shape: [Int], _ from: Value) -> Value {
        count += 1
        nodes.append(Node("\(name)\(count)", op, inputs: inputs))
        return Value(name: "\(name)\(count)", shape: shape, isSpiking: from.isSpiking, distance: from.distance + 1)
    }

    private mutating func neuron(_ x: Value) -> Value {
        let threshold = random.pick([Float(0.5), 1, 2])
        let initial = random.pick([Float(0), 0.25, 0.5])
        let rule: any Neuron
        switch family {
        case .integrateAndFire, .unary: rule = IFNode(threshold: threshold, initialMembrane: initial)
        case .hardReset: rule = IFNode(threshold: threshold, reset: .to(0.25), initialMembrane: initial)
        case .signed: rule = SignedIFNeuron(threshold: threshold, initialMembrane: initial, maximumCount: random.pick([nil, 3, 8]))
        case .burst: rule = BurstIFNeuron(threshold: threshold, initialMembrane: initial, maximumBurst: random.int(1...5))
        case .radix, .mixed:
            guard let radix = try? RadixNeuron(digits: family == .mixed ? random.int(1...digits) : digits) else { return x }
            rule = radix
        }
        var scaled = scaler(x)
        scaled = add("neuron", .neuron(NeuronNode(rule)), [scaled.name], x.shape, scaled)
        (scaled.isSpiking, scaled.distance) = (true, 0)
        return random.chance(0.8) ? scaler(scaled) : scaled
    }

    private mutating func scaler(_ x: Value) -> Value {
        let perChannel = random.chance(0.5)
        let scales = (0..<(perChannel ? x.shape[0] : 1)).map { _ in
            isDyadic ? random.pick([Float(0.5), 1, 2]) : Float.random(in: 0.4...2, using: &random)
        }
        return add("scale", .voltageScaler(VoltageScaler(scales: scales)), [x.name], x.shape, x)
    }

    private mutating func convolution(_ x: Value) -> Value {
        let axes = x.shape.count - 1
        let kernel = (0..<axes).map { random.int(1...min(4, x.shape[$0 + 1])) }
        let dilated = random.chance(0.2) && zip(kernel, x.shape.dropFirst()).allSatisfy { ($0 - 1) * 2 < $1 }
        let pads = (0..<axes).map { _ in random.int(0...2) }
        let window = Window(
            kernel: kernel, strides: (0..<axes).map { _ in random.int(1...2) }, dilations: kernel.map { _ in dilated ? 2 : 1 },
            padsBegin: pads, padsEnd: (0..<axes).map { random.chance(0.8) ? pads[$0] : random.int(0...1) })
        let groups = random.chance(0.3) ? x.shape[0] : random.pick([1, 1, 1, x.shape[0] % 2 == 0 ? 2 : 1])
        let features = groups * random.pick([1, 2, 3, 20 / groups + 1, random.chance(0.1) ? 140 / groups : 2])
        let weights = constant(numbers([features, x.shape[0] / groups] + kernel, bits: 3, limit: 6))
        var inputs = [x.name, weights]
        if random.chance(0.7) { inputs.append(constant(numbers([features], bits: 3, limit: 4))) }
        let spatial = (try? window.placement(over: Array(x.shape.dropFirst())).output) ?? []
        return add("conv", .conv(Conv(window: window, groups: groups)), inputs, [features] + spatial, x)
    }

    private func pooled(_ window: Window, _ x: Value) -> [Int]? {
        guard let output = try? window.placement(over: Array(x.shape.dropFirst())).output else { return nil }
        return [x.shape[0]] + output
    }

    private mutating func grow(_ x: Value) -> Value {
        let axes = x.shape.count - 1
        if x.distance >= 3 { return neuron(x) }
        switch random.int(0...13) {
        case 0...3: return axes == 0 ? linear(x) : neuron(convolution(x))
        case 4: return axes == 0 ? neuron(linear(x)) : convolution(x)
        case 5 where axes > 0:
            // Windows of 1, 2 or 4 places have exact divisors.
            let window = Window(
                kernel: (0..<axes).map { min(random.pick([1, 2]), x.shape[$0 + 1]) }, strides: (0..<axes).map { _ in random.int(1...2) })
            guard let shape = pooled(window, x) else { return x }
            return add("mean", .averagePool(AveragePool(window: window)), [x.name], shape, x)
        case 6 where axes > 0:
            let kernel = (0..<axes).map { min(random.int(1...3), x.shape[$0 + 1]) }
            let window = Window(
                kernel: kernel, strides: (0..<axes).map { _ in random.int(1...2) }, padsBegin: kernel.map { $0 / 2 },
                padsEnd: kernel.map { $0 / 2 }, ceilMode: random.chance(0.3))
            guard let shape = pooled(window, x) else { return x }
            let isRunning = x.isSpiking && random.chance(0.8)
            return add(
                "max", isRunning ? .runningMaximumPool(RunningMaximumPool(window: window)) : .maxPool(MaxPool(window: window)), [x.name],
                shape, x)
        case 7:
            guard let other = values.filter({ $0.shape == x.shape && $0.distance < 3 }).randomElement(using: &random) else {
                return neuron(x)
            }
            var sum = add("sum", .add(Add()), random.chance(0.5) ? [x.name, other.name] : [other.name, x.name], x.shape, x)
            sum.isSpiking = x.isSpiking || other.isSpiking
            sum.distance = max(x.distance, other.distance) + 1
            return sum
        case 8:
            let others = values.filter { $0.shape.dropFirst() == x.shape.dropFirst() && $0.shape.count == x.shape.count }
            guard let other = others.randomElement(using: &random) else { return neuron(x) }
            var joined = add(
                "join", .concat(Concat(axis: 1)), [x.name, other.name], [x.shape[0] + other.shape[0]] + x.shape.dropFirst(), x)
            joined.isSpiking = x.isSpiking || other.isSpiking
            joined.distance = max(x.distance, other.distance) + 1
            return joined
        case 9:
            let shape = random.chance(0.5) ? [x.shape[0]] + x.shape.dropFirst().map { _ in 1 } : []
            let tensor = numbers(shape, bits: 2, limit: 4)
            let isSum = random.chance(0.5)
            return add(isSum ? "shift" : "factor", isSum ? .add(Add()) : .mul(Mul()), [x.name, constant(tensor)], x.shape, x)
        case 10:
            let channels = x.shape[0]
            let parameters = [
                numbers([channels], bits: 1, limit: 3), numbers([channels], bits: 2, limit: 3),
                numbers([channels], bits: 2, limit: 3), Tensor(repeating: random.pick([1, 4]), shape: [channels]),
            ].map { constant($0) }
            return add("norm", .batchNormalization(BatchNormalization(epsilon: 0)), [x.name] + parameters, x.shape, x)
        case 11 where axes > 0 && x.shape.reduce(1, *) < 2000: return moved(x)
        case 12 where axes > 0 && x.shape.reduce(1, *) < 1000: return transposed(x)
        default: return neuron(x)
        }
    }

    /// Some of its numbers, or all of them and others, at other places.
    private mutating func moved(_ x: Value) -> Value {
        let axes = x.shape.count - 1
        switch random.int(0...3) {
        case 0:
            let axis = random.int(1...axes + 1)
            let size = x.shape[axis - 1]
            let step = random.pick([1, 1, 2, -1])
            let start = random.int(0...size - 1)
            let cut = Slice.Cut(axis: axis, start: start, end: step < 0 ? -size - 1 : size, step: step)
            var shape = x.shape
            shape[axis - 1] = (try? cut.places(size: size).count) ?? size
            return add("slice", .slice(Slice(cuts: [cut])), [x.name], shape, x)
        case 1:
            let mode = random.pick([Pad.Mode.constant, .constant, .edge, .wrap])
            let (begins, ends) = (x.shape.map { _ in random.int(0...2) }, x.shape.map { _ in random.int(0...1) })
            let pad = Pad(mode: mode, begins: [0] + begins, ends: [0] + ends)
            return add("pad", .pad(pad), [x.name], x.shape.indices.map { x.shape[$0] + begins[$0] + ends[$0] }, x)
        case 2:
            let axis = random.int(1...axes + 1)
            let picks = (0..<random.int(1...5)).map { _ in Int64(random.int(0...x.shape[axis - 1] - 1)) }
            var shape = x.shape
            shape[axis - 1] = picks.count
            return add("gather", .gather(Gather(axis: axis)), [x.name, constant(Tensor(picks, shape: [picks.count]))], shape, x)
        default:
            let scales = (0..<axes).map { _ in random.pick([1, 2, 3]) }
            var shape = x.shape
            for axis in 0..<axes { shape[axis + 1] *= scales[axis] }
            let resized = (0..<axes).map { Resize.Axis(axis: $0 + 2, size: shape[$0 + 1], scale: Float(scales[$0])) }
            let resize = Resize(axes: resized, mode: .nearest, coordinates: .asymmetric, rounding: .floor)
            return add("resize", .resize(resize), [x.name], shape, x)
        }
    }

    /// A transposed convolution; now and then a convolution of it with no neuron between.
    private mutating func transposed(_ x: Value) -> Value {
        let axes = x.shape.count - 1
        let kernel = (0..<axes).map { _ in random.int(1...4) }
        let pads = (0..<axes).map { _ in random.int(0...2) }
        let window = Window(
            kernel: kernel, strides: (0..<axes).map { _ in random.pick([1, 2, 2, 3]) },
            dilations: kernel.map { _ in random.pick([1, 1, 2]) },
            padsBegin: pads, padsEnd: pads)
        let groups = x.shape[0] % 2 == 0 && random.chance(0.3) ? 2 : 1
        let operation = ConvTranspose(
            window: window, groups: groups, outputPadding: window.strides.map { random.chance(0.3) ? $0 - 1 : 0 })
        guard let spatial = try? operation.outputSizes(Array(x.shape.dropFirst())) else { return neuron(x) }
        let features = random.pick([1, 2, 9])
        var inputs = [x.name, constant(numbers([x.shape[0], features] + kernel, bits: 3, limit: 6))]
        if random.chance(0.7) { inputs.append(constant(numbers([features * groups], bits: 3, limit: 4))) }
        let wide = add("transposed", .convTranspose(operation), inputs, [features * groups] + spatial, x)
        return random.chance(0.4) ? convolution(wide) : random.chance(0.8) ? neuron(wide) : wide
    }

    private mutating func linear(_ x: Value) -> Value {
        let features = random.int(1...90)
        if random.chance(0.3) {
            return add(
                "product", .matMul(MatMul()), [x.name, constant(numbers([x.shape[0], features], bits: 3, limit: 6))], [features], x)
        }
        let transposed = random.chance(0.5)
        let size = transposed ? [features, x.shape[0]] : [x.shape[0], features]
        let inputs = [x.name, constant(numbers(size, bits: 3, limit: 6)), constant(numbers([features], bits: 3, limit: 4))]
        return add("gemm", .gemm(Gemm(transposeB: transposed)), inputs, [features], x)
    }

    private mutating func classify(_ x: Value) -> Value {
        var value = x.distance > 1 ? neuron(x) : x
        if value.shape.count > 1 {
            let isPower = value.shape.dropFirst().reduce(1, *).nonzeroBitCount == 1
            if random.chance(0.3), isPower {
                value = add(
                    "global", .globalAveragePool(GlobalAveragePool()), [value.name],
                    [value.shape[0]] + value.shape.dropFirst().map { _ in 1 }, value)
            }
            value = add("flat", .flatten(Flatten()), [value.name], [value.shape.reduce(1, *)], value)
        }
        return linear(value)
    }
}
