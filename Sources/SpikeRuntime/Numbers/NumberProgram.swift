internal import CSpikeKernels
internal import SpikeGraph

/// A network of digit neurons, or of a latency code, compiled.
///
/// Its layers wait for each other, and the K spikes of a neuron are the digits of a number, or the few spikes of a latency code a sum of
/// levels. So it is simulated in these numbers: a layer's synapses are products of numbers and weights, in whole numbers for digits in int8,
/// and every function acts on potentials once. How many spikes there were is how many digits are 1.
struct NumberProgram: Sendable {
    var stages: [NumberStage] = []
    /// The constants that stages read, by name.
    var constants: [String: NumberConstant] = [:]
    /// The values that outputs are read from.
    var outputs: [String] = []
    /// For each stage, the values that nothing reads after it.
    var lastReads: [[String]] = []
    /// The layers that are float32 although int8 was asked for, and why.
    var floatLayers: [(node: String, reason: String)] = []

    /// Bytes of packed weights.
    var weightBytes: Int {
        stages.reduce(0) { sum, stage in
            switch stage.work {
            case .panels(let panels): sum + panels.weightBytes
            case .convolution(let convolution): sum + convolution.groups.reduce(0) { $0 + $1.weightBytes }
            case .depthwise(let depthwise): sum + depthwise.weights.count
            default: sum
            }
        }
    }
}

/// A constant, where kernels read it.
struct NumberConstant: Sendable {
    var shape: [Int]
    var memory: Memory
}

/// One operation on whole values.
struct NumberStage: Sendable {
    /// The node that it stands for; of several nodes, the one that people know it by.
    var node: Node
    var inputs: [String]
    var output: String
    var work: Work

    enum Work: Sendable {
        /// Neurons, with the scalers around them.
        case encode(Encoding)
        /// Rows times constant weights.
        case panels(Panels)
        case convolution(Convolution)
        case depthwise(Depthwise)
        /// The product of two matrices that are both values.
        case matrices
        case function(spike_function, alpha: Float, beta: Float)
        case pair(spike_pair)
        /// Over the last `axes` axes, with gain and bias of each place there.
        case standardise(axes: Int, epsilon: Float, isCentred: Bool, gain: Memory?, bias: Memory?)
        case reduce(spike_reduction, axes: Set<Int>, keepsDimensions: Bool)
        /// Over the last axis.
        case softmax
        /// The same numbers in another shape.
        case view
        case transpose([Int])
        case slice(Slice)
        /// Some places of an axis, which become as many as `shape` has.
        case pick(axis: Int, places: [Int], shape: [Int])
        case concat(axis: Int)
        /// Left to the reference path.
        case generic(reason: String)
    }

    /// What a layer of neurons sends: a whole number of units of a step.
    struct Encoding: Sendable {
        /// K; 0 of a latency code.
        var digits: Int
        /// What is sent in the place of digits.
        var latency: Ladder?
        var isSigned: Bool
        /// The axis along which steps differ, counted from the end of the value's own order if negative; `nil`: one for all.
        var axis: Int?
        var inverse: Memory
        var step: Memory
        var steps: [Float]
        var kind: NumberKind
        /// The neurons' node, which spikes are counted for.
        var neuron: String

        var largest: Int { 1 << digits - 1 }
        /// K, or T.
        var stepCount: Int { latency?.rule.weights.count ?? digits }

        /// How many spikes say a number of units.
        func spikes(of number: Float) -> Int {
            latency?.rule.steps(of: number).count ?? Int(number.magnitude).nonzeroBitCount
        }

        /// The spikes of each step that say a number of units.
        func train(of number: Float) -> [Float] {
            if let rule = latency?.rule {
                let sent = rule.steps(of: number)
                return rule.weights.indices.map { sent.contains($0) ? 1 : 0 }
            }
            let (whole, sign): (Int, Float) = (Int(number.magnitude), number < 0 ? -1 : 1)
            return (0..<digits).map { whole >> (digits - 1 - $0) & 1 == 1 ? sign : 0 }
        }

        /// What a spike in a step is worth, in units.
        func weight(ofStep index: Int) -> Float { latency?.rule.weights[index] ?? Float(1 << (digits - 1 - index)) }
    }

    /// The thresholds of a latency code, where kernels read them.
    struct Ladder: Sendable {
        let rule: LatencyNeuron.Ladder
        let weights: Memory
        let first: Memory
        let last: Memory

        init(_ neuron: LatencyNeuron) {
            rule = LatencyNeuron.Ladder(neuron)
            (weights, first, last) = (Memory(rule.weights), Memory(rule.first), Memory(rule.last))
        }
    }

    /// Weights [depth, columns], packed.
    struct Panels: Sendable {
        var kind: NumberKind
        var depth: Int
        var columns: Int
        var weights: Memory
        /// Of whole numbers: what sums begin with, and what 1 stands for.
        var start: Memory?
        var scale: Memory?
        var bias: Memory?

        /// Numbers that a group of the depth has.
        var group: Int { kind.group }
        var groups: Int { (depth + group - 1) / group }
        var weightBytes: Int { weights.count }
    }

    struct Convolution: Sendable {
        var window: Window
        var inputChannels: Int
        var outputChannels: Int
        /// By group of channels.
        var groups: [Panels]
    }

    struct Depthwise: Sendable {
        var window: Window
        /// [places, channels].
        var weights: Memory
        var bias: Memory?
    }
}

/// How the numbers of a value lie in memory.
enum NumberKind: Sendable, Equatable {
    case floats
    /// n + offset.
    case bytes(offset: Int32)
    case shorts

    var size: Int {
        switch self {
        case .floats: 4
        case .bytes: 1
        case .shorts: 2
        }
    }

    /// Neighbours of the depth that a kernel takes together.
    var group: Int { 4 / size }

    var offset: Int32 { if case .bytes(let offset) = self { offset } else { 0 } }

    var code: spike_numbers {
        switch self {
        case .floats: SPIKE_NUMBERS_FLOAT
        case .bytes: SPIKE_NUMBERS_BYTES
        case .shorts: SPIKE_NUMBERS_SHORTS
        }
    }
}
