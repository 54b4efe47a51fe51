internal import CSpikeKernels
public import SpikeGraph

/// The arithmetic of the engine.
public enum Precision: String, Sendable, CaseIterable, Codable {
    /// float32 weights, currents and membranes: the reference's results up to the order of additions.
    case float32
    /// 8-bit weights with a scale for each output channel, integer currents and membranes. The last layer stays float32.
    case int8
}

/// A spike train: what a layer of neurons, a pool over one, or one at other places, sends.
struct Signal: Sendable {
    enum Encoding: Sendable {
        /// One bit for each neuron and step.
        case bits
        /// Two: spikes sent, spikes taken back.
        case signed
        /// A number.
        case counts
    }

    /// The graph's value.
    var name: String
    var encoding: Encoding
    var layout: Layout
    /// The most spikes of a neuron in a step.
    var largestCount: Int
    /// The node that makes it.
    var stage: String
    /// K, where it is digits.
    var digits: Int?

    /// Bytes of a pixel's bits.
    var pixelBytes: Int { (layout.channels + 7) / 8 }
    /// Bits of a pixel; numbers of a pixel for counts.
    var channelStride: Int { pixelBytes * 8 }

    /// Bytes of one step of one sample, of one plane.
    var planeBytes: Int {
        encoding == .counts ? (layout.pixels * channelStride * 2 + 7) / 8 * 8 : layout.height * rowBytes
    }

    private var rowBytes: Int { (pixelBytes * layout.width + 7) / 8 * 8 }

    /// From pixel to pixel, row to row, step to step: bytes of bits, or numbers.
    var strides: spike_strides {
        encoding == .counts
            ? spike_strides(pixel: channelStride, row: channelStride * layout.width, step: planeBytes / 2)
            : spike_strides(pixel: pixelBytes, row: rowBytes, step: planeBytes)
    }

    var stepBytes: Int { encoding == .signed ? 2 * planeBytes : planeBytes }
}

/// Lists of active rows of some channels of a spike train, summed over a window where one is pooled, for each row of an output the
/// rows that it sees.
struct ListView: Sendable {
    var signal: Int
    var isMinus: Bool
    var channels: Range<Int>
    var window: spike_window
    var rows: spike_rows
    /// The stages that read it, first and last.
    var readers: ClosedRange<Int>

    /// Positions in a list from pixel to pixel.
    var entryStride: Int { (channels.count + 7) / 8 * 8 }

    /// How often a spike can be in the lists.
    var multiplicity: Int {
        // Once for each output that sees it.
        func overlap(_ kernel: Int32, _ stride: Int32, _ dilation: Int32, _ outputs: Int32) -> Int {
            Int(min(dilation > 1 ? kernel : (kernel + stride - 1) / stride, outputs))
        }
        return overlap(window.kernel_height, window.stride_y, window.dilation_y, window.out_height)
            * overlap(window.kernel_width, window.stride_x, window.dilation_x, window.out_width)
            * overlap(rows.kernel_height, rows.stride, rows.dilation, rows.out_height)
    }

    /// Starts of one step.
    var startCount: Int { Int(rows.out_height) * Int(window.out_width + 1) }
}

/// A branch of a stage, with its weights in the stage's unit, packed for its kernel.
struct Branch: Sendable {
    enum Kind: Sendable {
        case gather(view: Int)
        case scatter(view: Int)
        case masked(signal: Int, isMinus: Bool, firstChannel: Int)
        /// Sums over all pixels, of a global pool.
        case counted(signal: Int, isMinus: Bool, channels: Range<Int>, pool: spike_window)
        case values(String)
    }

    var kind: Kind
    var isNegative: Bool
    /// From the stage's pixels, or blocks of pixels, to the source.
    var window: spike_window
    /// Positions a pixel has in the lists that it reads.
    var entryStride: Int
    var firstTarget: Int
    var targetCount: Int
    /// Weight rows of a tile.
    var rows: Int
    var weights: Memory
    /// Bytes of one tile's weights; 0 where all tiles share them.
    var tileBytes: Int
    /// Radix code, int8: the same weights for the dense kernel, which takes over where many neurons spike.
    var dense: (weights: Memory, tileBytes: Int)?
    /// Masked, a radix code, int8: reads the numbers that spikes are the digits of.
    var readsNumbers = false
    /// Masked, int8: what sums are still shifted by to be in the stage's unit.
    var shift = 0
    /// A radix code, int8: the same synapses where all layers are numbers (``LayerPlan``).
    var numbers: [NumberSynapses] = []

    /// The lists that it reads.
    var view: Int? {
        switch kind {
        case .gather(let view), .scatter(let view): view
        case .masked, .counted, .values: nil
        }
    }
}

/// How a layer's neurons lie in tiles. Wide layers: the channels of a pixel, tile after tile. Narrow ones: one tile holds several
/// neighbouring pixels, which then share the reading of lists and the overhead of a pixel.
struct Lanes: Sendable {
    let layout: Layout
    /// Pixels in a tile.
    let block: Int
    /// Lanes of a tile: a width that kernels exist for.
    let tile: Int

    /// Lanes of a pixel: its channels, filled up to a byte of bits.
    var channelStride: Int { (layout.channels + 7) / 8 * 8 }
    var tiles: Int { block > 1 ? 1 : (layout.channels + tile - 1) / tile }
    /// Lanes of all tiles.
    var count: Int { tiles * tile }
    /// Blocks in a row.
    var columns: Int { (layout.width + block - 1) / block }
    /// Blocks in the layer.
    var blocks: Int { columns * layout.height }

    /// What a lane is: a pixel of its block, and a channel. `nil` for lanes that only fill a tile.
    func neuron(_ lane: Int) -> (pixel: Int, channel: Int)? {
        let (pixel, channel) = block == 1 ? (0, lane) : (lane / channelStride, lane % channelStride)
        return channel < layout.channels && pixel < block ? (pixel, channel) : nil
    }

    /// The neurons' lanes of a tile, in a block of the row that is not the last, and in the last.
    func firing(tile number: Int) -> (usual: Int, last: Int) {
        if block > 1 { return (block * channelStride, (layout.width - (columns - 1) * block) * channelStride) }
        let lanes = min(tile, channelStride - number * tile)
        return (lanes, lanes)
    }

    var image: spike_lane_layout {
        spike_lane_layout(
            height: Int32(layout.height), width: Int32(layout.width), channels: Int32(layout.channels), block: Int32(block),
            channel_stride: Int32(channelStride), lanes: Int32(count))
    }
}

/// A layer of neurons with its synapses, or an output with its synapses.
struct NeuronStage: Sendable {
    struct Rule: Sendable {
        var kind: spike_neuron_kind
        var isHardReset: Bool
        /// Most spikes of a burst, or that may stand; −1 for no bound.
        var limit: Int
        /// Layer-synchronous radix: the exponent of the first digit's threshold, K − 1 of the layer itself.
        var exponent: Int?
        /// The same: how often its membranes may be doubled, T of the network. Of more steps than digits the first are silent.
        var doublings = 0
        /// What a membrane is multiplied with before the next step's current is added, where all are integrated first.
        var growth: Int
    }

    /// The node's name, or the value's for an output.
    var name: String
    /// The value that is integrated.
    var input: String
    /// The spike train that is made; `nil` for outputs.
    var target: Int?
    var layout: Layout
    var isFlat: Bool
    var rule: Rule
    var isInteger: Bool
    var shift: Int
    var lanes: Lanes
    var branches: [Branch]
    /// [lanes], in the stage's unit.
    var threshold: Memory
    var initial: Memory
    var reset: Memory?
    var rounding: Memory?
    /// Added in every step: [lanes].
    var offsets: Memory?
    /// The offsets have to be computed from the graph: they differ from place to place.
    var evaluatesOffset: Bool
    /// No input of the network is part of them: they are the same for all samples and steps.
    var hasConstantOffset = false
    /// How, where the engine does it in one pass.
    var analog: AnalogLayer?
    /// What a current is multiplied with to be in the stage's unit; [channels].
    var unitScale: [Float]
    /// The most that a step's current can be, in the stage's unit (int8), before offsets.
    var currentBound: Int
    /// The most that a membrane starts from, or is left at by a spike, in the same unit.
    var restingBound: Int
    /// What the analog part of a current is limited to (int8).
    var offsetLimit: Float
    /// How far 8-bit weights move the layer's activations, as a share of their range.
    var roundingError: Double
    /// Why the stage is float32 where whole numbers were asked for.
    var floatReason: String?

    /// For how many steps no membrane can meet the bound that keeps whole numbers from overflowing; beyond, kernels look.
    var provenSteps: Int {
        guard isInteger else { return 0 }
        // Each value of the reference path is limited as the analog offset is.
        let values = branches.count { if case .values = $0.kind { true } else { false } }
        // A radix code's doubling is part of what its unit was chosen by: synapses reach half of the limit, a real-valued current once more.
        if rule.exponent != nil { return values == 0 ? rule.doublings : 0 }
        let step = currentBound + (values + (evaluatesOffset ? 1 : 0)) * Int(offsetLimit)
        return (Int(SPIKE_MEMBRANE_LIMIT) - restingBound) / max(1, step)
    }
}

/// Max pooling over a spike train.
struct PoolStage: Sendable {
    var name: String
    var source: Int
    var target: Int
    var window: spike_window
    var isInstantaneous: Bool
}

/// A spike train's pixels at other places: picked, repeated, or with gaps between them.
struct MoveStage: Sendable {
    var name: String
    var source: Int
    var target: Int
    /// For each pixel of the target, row after row, the one of the source that it holds; −1 for none.
    var pixels: [Int32]
}

/// A node that the reference path computes, step by step.
struct GenericStage: Sendable {
    var node: Node
    var reason: String
}

enum Stage: Sendable {
    case neurons(NeuronStage)
    case pool(PoolStage)
    case move(MoveStage)
    case generic(GenericStage)

    /// The node that it stands for.
    var name: String {
        switch self {
        case .neurons(let stage): stage.name
        case .pool(let pool): pool.name
        case .move(let move): move.name
        case .generic(let stage): stage.node.name
        }
    }

    /// The spike train that it makes.
    var target: Int? {
        switch self {
        case .neurons(let stage): stage.target
        case .pool(let pool): pool.target
        case .move(let move): move.target
        case .generic: nil
        }
    }

    /// What it reads: spike trains, and values of the reference path, some of which are spike trains too.
    func reads(_ views: [ListView], densified: [String: Int]) -> (signals: Set<Int>, values: Set<String>) {
        var (signals, values): (Set<Int>, Set<String>) = ([], [])
        switch self {
        case .pool(let pool): signals = [pool.source]
        case .move(let move): signals = [move.source]
        case .generic(let stage): values = Set(stage.node.inputs)
        case .neurons(let stage):
            for branch in stage.branches {
                switch branch.kind {
                case .gather(let view), .scatter(let view): signals.insert(views[view].signal)
                case .masked(let signal, _, _), .counted(let signal, _, _, _): signals.insert(signal)
                case .values(let name): values.insert(name)
                }
            }
        }
        return (signals.union(values.compactMap { densified[$0] }), values)
    }
}

/// A spiking network, compiled: stages in order, with weights that everything linear has been folded into.
public struct Program: Sendable {
    /// The network that was compiled.
    public let graph: Graph
    /// The numbers that the engine computes with.
    public let precision: Precision
    let spikingDescription: SpikingDescription
    let stages: [Stage]
    let signals: [Signal]
    let views: [ListView]
    /// Nodes that do not depend on spikes, in order: computed once for a constant input.
    let stillNodes: [Node]
    /// Values outside the neurons' spikes that generic stages read, by name: the spike train each is.
    let densified: [String: Int]
    /// The values that outputs are accumulated from, and the stage of each.
    let outputs: [String: Int]
    let readout: [Node]
    /// For each signal, the last stage that reads it.
    let lastReads: [Int]
    /// For each value of the reference path, the same.
    let lastValueReads: [String: Int]
    /// What is run instead of stages, for a network of digit neurons.
    var numbers: NumberProgram?
    /// What is run instead of stages where single steps are not to be seen, for a radix code in whole numbers.
    var layers: LayerPlan?

    var schedule: SpikingDescription.Schedule { spikingDescription.schedule }
    var code: SpikeCode { spikingDescription.code }
}

extension Program {
    /// A program of numbers.
    init(_ numbers: NumberProgram, of graph: Graph, precision: Precision, _ description: SpikingDescription) {
        let readout = graph.readoutNodes
        self.init(
            graph: graph, precision: precision, spikingDescription: description, stages: [], signals: [], views: [], stillNodes: [],
            densified: [:], outputs: [:], readout: graph.nodes.filter { readout.contains($0.name) }, lastReads: [], lastValueReads: [:],
            numbers: numbers)
    }
}
