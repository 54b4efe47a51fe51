internal import CSpikeKernels
public import SpikeGraph

/// The arithmetic of the engine.
public enum Precision: String, Sendable, CaseIterable, Codable {
    /// float32 weights, currents and membranes: the reference's results up to the order of additions.
    case float32
    /// 8-bit weights with a scale for each output channel, integer currents and membranes. The last layer stays float32.
    case int8
}

/// A spike train: what a layer of neurons, or a pool over one, sends.
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
    var isPooled = false
    /// Channels with room for the tiles of the stage that writes them.
    var paddedChannels = 0

    var wordsPerPixel: Int { (max(paddedChannels, layout.channels) + 63) / 64 }
    var channelStride: Int { (max(paddedChannels, layout.channels) + 31) / 32 * 32 }

    /// Bytes of one step of one sample, of one plane.
    var planeBytes: Int {
        encoding == .counts ? layout.pixels * channelStride * 2 : layout.pixels * wordsPerPixel * 8
    }

    var stepBytes: Int { encoding == .signed ? 2 * planeBytes : planeBytes }
}

/// Lists of active rows of some channels of a spike train, summed over a window where one is pooled.
struct ListView: Sendable {
    var signal: Int
    var isMinus: Bool
    var channels: Range<Int>
    var window: spike_window
    /// The stages that read it, first and last.
    var readers: ClosedRange<Int>

    /// How many windows a place can be in.
    var multiplicity: Int {
        func overlap(_ kernel: Int32, _ stride: Int32) -> Int { Int((kernel + stride - 1) / stride) }
        return overlap(window.kernel_height, window.dilation_y > 1 ? 1 : window.stride_y)
            * overlap(window.kernel_width, window.dilation_x > 1 ? 1 : window.stride_x)
    }
}

/// A branch of a stage, with its weights in the stage's unit, packed for its kernel.
struct Branch: Sendable {
    enum Kind: Sendable {
        case gather(view: Int)
        case scatter(view: Int)
        case masked(signal: Int, isMinus: Bool, firstChannel: Int)
        case values(String)
    }

    var kind: Kind
    var isNegative: Bool
    var window: spike_window
    /// Channels of the source that it reads.
    var channels: Int
    var firstTarget: Int
    var targetCount: Int
    var weights: Memory
    /// Bytes of one tile's weights; 0 where all tiles share them.
    var tileBytes: Int
}

/// A layer of neurons with its synapses, or an output with its synapses.
struct NeuronStage: Sendable {
    struct Rule: Sendable {
        var kind: spike_neuron_kind
        var isHardReset: Bool
        /// Most spikes of a burst, or that may stand; −1 for no bound.
        var limit: Int
        /// Layer-synchronous radix: the exponent of the first step's threshold.
        var exponent: Int?
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
    var tile: Int
    var paddedChannels: Int
    var branches: [Branch]
    /// [paddedChannels], in the stage's unit.
    var threshold: Memory
    var initial: Memory
    var reset: Memory?
    var rounding: Memory?
    /// Added in every step: [paddedChannels].
    var offsets: Memory?
    /// The offsets have to be computed from the graph, for each input.
    var evaluatesOffset: Bool
    /// What a current is multiplied with to be in the stage's unit; [channels].
    var unitScale: [Float]
    /// The most that a step's current can be, in the stage's unit (int8), before offsets.
    var currentBound: Int

    var tiles: Int { paddedChannels / tile }
}

/// Max pooling over a spike train.
struct PoolStage: Sendable {
    var name: String
    var source: Int
    var target: Int
    var window: spike_window
    var isInstantaneous: Bool
}

/// A node that the reference path computes, step by step.
struct GenericStage: Sendable {
    var node: Node
    var reason: String
}

enum Stage: Sendable {
    case neurons(NeuronStage)
    case pool(PoolStage)
    case generic(GenericStage)
}

/// A spiking network, compiled: stages in order, with weights that everything linear has been folded into.
public struct Program: Sendable {
    public let graph: Graph
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

    var schedule: SpikingDescription.Schedule { spikingDescription.schedule }
    var code: SpikingDescription.Code { spikingDescription.code }
}
