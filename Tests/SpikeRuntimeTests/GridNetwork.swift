import SpikeGraph

/// Networks of random shapes whose weights lie on the grid of 8 bits, so that int8 rounds nothing and has to give the reference's bits:
/// in front of each layer of neurons the largest weight of a channel is 127/64 of the threshold (which makes the unit 1/64), or
/// weights are whole.
struct GridNetwork {
    private var random: SeededGenerator
    private var network: NetworkSketch
    /// Gives a layer's neurons.
    private let neurons: (inout SeededGenerator) throws -> any Neuron

    /// - Parameter digits: K of a radix code; `nil`: a rate code with this neuron.
    static func make(seed: Int, neuron: any Neuron, digits: Int?) throws -> (graph: Graph, input: Tensor, steps: Int) {
        try make(seed: seed, digits: digits) { _ in neuron }
    }

    /// - Parameter neurons: of each layer.
    static func make(
        seed: Int, digits: Int?, neurons: @escaping (inout SeededGenerator) throws -> any Neuron
    ) throws -> (graph: Graph, input: Tensor, steps: Int) {
        var random = SeededGenerator(seed)
        let shape = [random.int(1...4), random.int(4...9), random.int(4...9)]
        var grid = GridNetwork(random: random, network: NetworkSketch(input: shape), neurons: neurons)
        var x = try grid.conv(grid.network.input, features: grid.random.pick([2, 6, 9, 16, 40]), isWhole: true)
        x = try grid.fire(x)
        for _ in 0..<grid.random.int(2...4) { x = try grid.grow(x) }
        let weights = grid.random.dyadic([3, x.shape.reduce(1, *)], bits: 3, limit: 6)
        let y = grid.network.linear(x, weights)
        let description = SpikingDescription(
            recipe: "test", schedule: digits == nil ? .streaming : .layerSynchronous, code: digits == nil ? .rate() : .radix(digits: digits)
        )
        // Whole currents, up to what the code can say.
        let most = digits.map { 1 << $0 } ?? 2
        let numbers = (0..<2 * shape.reduce(1, *)).map { _ in Float(grid.random.int(-1...most) / grid.random.int(1...3)) }
        return (try grid.network.graph([y], description), Tensor(numbers, shape: [2] + shape), digits ?? grid.random.pick([3, 17, 32]))
    }

    /// Weights [features, channels, height, width].
    private mutating func weights(_ shape: [Int], isWhole: Bool) -> Tensor {
        if isWhole { return Tensor((0..<shape.reduce(1, *)).map { _ in Float(random.int(-1...1)) }, shape: shape) }
        let size = shape.dropFirst().reduce(1, *)
        return Tensor(
            (0..<shape.reduce(1, *)).map { $0 % size == 0 ? (random.chance(0.7) ? 127 : -127) / 64 : Float(random.int(-13...16)) / 64 },
            shape: shape)
    }

    private mutating func conv(
        _ x: NetworkSketch.Value, features: Int, kernel: Int? = nil, stride: Int? = nil, isSame: Bool = false, groups: Int = 1,
        isWhole: Bool = false
    ) throws -> NetworkSketch.Value {
        let kernel = isSame ? random.pick([1, 3]) : kernel ?? random.int(1...min(3, x.shape[1], x.shape[2]))
        let dilation = !isSame && stride == nil && (kernel - 1) * 2 < min(x.shape[1], x.shape[2]) && random.chance(0.2) ? 2 : 1
        let pad = isSame ? kernel / 2 : stride == nil ? random.int(0...1) : 0
        let strides = isSame ? 1 : stride ?? random.int(1...2)
        let shape = [features, x.shape[0] / groups, kernel, kernel]
        // From each channel to itself alone, weights have the unit of the bias.
        let isWhole = isWhole || shape[1] == 1 && features == groups
        let bias = Tensor((0..<features).map { _ in Float(random.int(-1...1)) }, shape: [features])
        return try network.conv(
            x, weights(shape, isWhole: isWhole), bias: random.chance(0.7) ? bias : nil, strides: [strides, strides], pads: [pad, pad],
            dilation: dilation)
    }

    private mutating func fire(_ x: NetworkSketch.Value) throws -> NetworkSketch.Value { network.fire(x, try neurons(&random)) }

    /// A further layer, with what may lie in front of it.
    private mutating func grow(_ x: NetworkSketch.Value) throws -> NetworkSketch.Value {
        let features = random.pick([1, 3, 8, 20, 33, 70, 130])
        let isWide = min(x.shape[1], x.shape[2]) >= 2
        switch random.int(0...9) {
        case 0 where x.shape[0] % 2 == 0: return try fire(conv(x, features: 2 * (features / 2 + 2), groups: 2))
        case 1: return try fire(conv(x, features: x.shape[0], groups: x.shape[0], isWhole: true))
        case 2:
            let other = try conv(x, features: x.shape[0], isSame: true)
            return try fire(network.add(.add(Add()), [other, x], shape: x.shape))
        case 3 where isWide:
            let kernel = random.int(2...min(3, x.shape[1], x.shape[2]))
            return try network.pool(x, [kernel, kernel], strides: [2, 2]) { .runningMaximumPool(RunningMaximumPool(window: $0)) }
        case 4 where isWide:
            let stride = random.int(1...2)
            let mean = try network.pool(x, [2, 2], strides: [stride, stride]) { .averagePool(AveragePool(window: $0)) }
            return try fire(conv(mean, features: features + 1))
        case 5:
            let twice = network.add(.concat(Concat(axis: 1)), [x, x], shape: [2 * x.shape[0]] + x.shape.dropFirst())
            return try fire(conv(twice, features: features))
        case 6:
            // Two convolutions with no neuron between, of which the first picks channels.
            let picked = random.int(1...x.shape[0])
            let choice = (0..<picked).flatMap { row in (0..<x.shape[0]).map { Float($0 == (row * 7) % x.shape[0] ? 1 : 0) } }
            // Channels that are picked twice would add their weights.
            guard picked * 7 <= x.shape[0] || x.shape[0] % 7 != 0 else { return try fire(conv(x, features: features)) }
            let inner = try network.conv(x, Tensor(choice, shape: [picked, x.shape[0], 1, 1]))
            return try fire(conv(inner, features: features))
        case 7 where isWide && x.shape[1] >= 4 && x.shape[2] >= 4:
            // A mean behind a convolution that does not overlap.
            let inner = try conv(x, features: features + 1, kernel: 2, stride: 2)
            return try fire(network.pool(inner, [2, 2], strides: [1, 1]) { .averagePool(AveragePool(window: $0)) })
        case 8 where x.shape[1] * x.shape[2] <= 100:
            // Twice the size: each spike four times, or by a transposed convolution whose kernels do not overlap.
            let shape = [x.shape[0], 2 * x.shape[1], 2 * x.shape[2]]
            if random.chance(0.5) {
                let axes = (1...2).map { Resize.Axis(axis: $0 + 1, size: shape[$0], scale: 2) }
                let resize = Resize(axes: axes, mode: .nearest, coordinates: .asymmetric, rounding: .floor)
                let wide = network.add(.resize(resize), [x], shape: shape)
                return try fire(conv(wide, features: features))
            }
            let kernels = weights([x.shape[0], features, 2, 2], isWhole: true)
            let operation = ConvTranspose(window: Window(kernel: [2, 2], strides: [2, 2]))
            return try fire(network.add(.convTranspose(operation), [x], [kernels], shape: [features, shape[1], shape[2]]))
        default: return try fire(conv(x, features: features))
        }
    }
}
