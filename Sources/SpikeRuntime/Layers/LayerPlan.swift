internal import CSpikeKernels
internal import SpikeGraph

/// What a layer's synapses read where the numbers come that a radix code's spikes are the digits of, one byte for each neuron.
struct NumberSynapses: Sendable {
    /// The spike train.
    var signal: Int
    /// Of its channels the first that is read.
    var firstChannel: Int
    /// The window over which numbers are summed first.
    var pool: spike_window?
    var window: spike_window
    /// Groups of four bytes that are read at a place of the window; 0 where each channel goes to itself.
    var groups: Int
    /// The channels that it adds to.
    var targets: Range<Int>
    /// As `spike_layer_branch` has them.
    var weights: Memory
    /// What sums are shifted left by.
    var shift: Int
}

/// A radix program without spikes: images of numbers go from layer to layer, and each neuron's spikes are the digits of one number.
///
/// It gives the whole numbers that stages of spikes give. Where single steps are to be seen, spikes are what is run.
struct LayerPlan: Sendable {
    /// Bytes [height][width][channels], with a border of zeros as wide as windows reach.
    struct Image: Sendable {
        var layout: Layout
        var top = 0
        var left = 0
        var bottom = 0
        var right = 0

        var pixelBytes: Int { (layout.channels + 7) / 8 * 8 }
        var rowBytes: Int { (left + layout.width + right) * pixelBytes }
        /// Whole words of 64 bytes.
        var byteCount: Int { ((top + layout.height + bottom) * rowBytes + 63) / 64 * 64 }

        /// Where a pixel lies; its coordinates may be in the border.
        func offset(y: Int, x: Int) -> Int { (top + y) * rowBytes + (left + x) * pixelBytes }

        /// Whether its border, which is filled with zeros, is no more than a few times its numbers: windows may reach 2^30 pixels beyond.
        var hasFittingBorder: Bool {
            let (rows, columns) = (Double(top + layout.height + bottom), Double(left + layout.width + right))
            return rows * columns * Double(pixelBytes) <= 4 * Double(layout.pixels * pixelBytes) + 65_536
        }

        mutating func widen(for window: spike_window) {
            /// How far windows reach beyond the end of an axis.
            func overhang(_ size: Int32, _ out: Int32, _ stride: Int32, _ kernel: Int32, _ dilation: Int32, _ pad: Int32) -> Int {
                max(0, Int(out - 1) * Int(stride) + Int(kernel - 1) * Int(dilation) - Int(pad) - Int(size) + 1)
            }
            let w = window
            (top, left) = (max(top, Int(w.pad_top)), max(left, Int(w.pad_left)))
            bottom = max(bottom, overhang(w.height, w.out_height, w.stride_y, w.kernel_height, w.dilation_y, w.pad_top))
            right = max(right, overhang(w.width, w.out_width, w.stride_x, w.kernel_width, w.dilation_x, w.pad_left))
        }
    }

    struct Layer: Sendable {
        /// The stage that it stands for.
        var stage: Int
        var target: Int
        /// A multiple of 16.
        var lanes: Int
        /// The synapses, those between channels first, and the image that each reads.
        var synapses: [(synapses: NumberSynapses, image: Int)]
        /// [lanes]: what membranes come to without what arrives; thresholds, and one over them.
        var start: Memory
        var threshold: Memory
        var inverse: Memory
        /// The largest number that is sent.
        var largest: Int
        /// Where its currents come from an input of the network in one pass.
        var analog: Analog?
        /// The largest number that synapses between channels read.
        var largestRead: Int
        /// Products for one sample.
        var products: Int
    }

    struct Analog: Sendable {
        var layer: AnalogLayer
        /// The network's input, by number.
        var input: Int
        var limit: Float
    }

    struct Pool: Sendable {
        var source: Int
        var target: Int
        var window: spike_window
        var isSum: Bool
    }

    enum Item: Sendable {
        case layer(Layer)
        case pool(Pool)
    }

    var images: [Image] = []
    var items: [Item] = []
    /// By spike train, its image.
    var trains: [Int: Int] = [:]
    /// The stages of outputs, which read spikes, and the trains that they read.
    var outputs: [Int] = []
    var read: Set<Int> = []
    /// T.
    let steps: Int
    /// Whether nothing but layers of their own depends on the network's inputs.
    var readsImagesAlone: Bool

    /// Products for one sample, and bytes of weights.
    private(set) var products = 0
    private(set) var weightBytes = 0

    /// `nil` where a stage reads or sends something else than numbers below 128.
    init?(_ program: Program) {
        guard program.precision == .int8, program.schedule == .layerSynchronous, program.code.kind == .radix,
            program.code.constantsComeLast, let steps = program.mostDigits, (1..<8).contains(steps)
        else { return nil }
        self.steps = steps
        readsImagesAlone = program.stillNodes.isEmpty
        var sums: [SumKey: Int] = [:]
        for (index, stage) in program.stages.enumerated() {
            switch stage {
            case .move, .generic: return nil
            case .pool(let pool):
                guard !pool.isInstantaneous, let source = trains[pool.source] else { return nil }
                images[source].widen(for: pool.window)
                trains[pool.target] = images.count
                items.append(.pool(Pool(source: source, target: images.count, window: pool.window, isSum: false)))
                images.append(Image(layout: program.signals[pool.target].layout))
            case .neurons(let stage) where stage.target == nil:
                outputs.append(index)
                readsImagesAlone = readsImagesAlone && !stage.evaluatesOffset
                read.formUnion(Stage.neurons(stage).reads(program.views, densified: program.densified).signals)
            case .neurons(let stage):
                guard let target = stage.target, var layer = Layer(stage, at: index, of: program, steps: steps) else { return nil }
                if stage.evaluatesOffset { readsImagesAlone = readsImagesAlone && layer.analog != nil }
                guard stage.branches.allSatisfy({ !$0.numbers.isEmpty }) else { return nil }
                for synapses in stage.branches.flatMap(\.numbers) {
                    guard var image = trains[synapses.signal] else { return nil }
                    var largest = 1 << steps - 1
                    if let window = synapses.pool {
                        largest *= Int(window.kernel_height) * Int(window.kernel_width)
                        guard largest <= 127 else { return nil }
                        image = sum(of: image, window, known: &sums)
                    }
                    images[image].widen(for: synapses.window)
                    if synapses.groups > 0 { layer.largestRead = max(layer.largestRead, largest) }
                    layer.synapses.append((synapses, image))
                }
                layer.synapses = layer.synapses.filter { $0.synapses.groups > 0 } + layer.synapses.filter { $0.synapses.groups == 0 }
                layer.target = images.count
                trains[target] = images.count
                layer.products = layer.synapses.reduce(0) { sum, each in
                    sum + stage.layout.pixels * layer.lanes * each.synapses.window.places * max(1, 4 * each.synapses.groups)
                }
                products += layer.products
                weightBytes += layer.synapses.reduce(0) { $0 + $1.synapses.weights.count }
                items.append(.layer(layer))
                images.append(Image(layout: stage.layout))
            }
        }
        guard !outputs.isEmpty, read.allSatisfy({ trains[$0] != nil }), images.allSatisfy(\.hasFittingBorder) else { return nil }
    }

    /// The image of an image's sums over a window; made if it is new.
    private mutating func sum(of image: Int, _ window: spike_window, known: inout [SumKey: Int]) -> Int {
        let key = SumKey(image: image, window: window.key)
        images[image].widen(for: window)
        if let number = known[key] { return number }
        items.append(.pool(Pool(source: image, target: images.count, window: window, isSum: true)))
        let layout = Layout(channels: images[image].layout.channels, height: Int(window.out_height), width: Int(window.out_width))
        images.append(Image(layout: layout))
        known[key] = images.count - 1
        return images.count - 1
    }

    private struct SumKey: Hashable {
        var image: Int
        var window: [Int32]
    }

    /// Whether one sample after the other goes through all layers: their weights stay in the cache.
    var isSmall: Bool { weightBytes <= 1 << 19 }

    /// Up to how many products a sample is one thread's work: others would take longer to wake than it takes.
    static let aloneUpTo = 1 << 25

    /// From how many products on a layer's rows are shared among threads.
    static let dividedFrom = 1 << 21

    /// Lanes of a layer.
    static func lanes(_ layout: Layout) -> Int { (layout.channels + 15) / 16 * 16 }
}

extension LayerPlan.Layer {
    /// `nil` where a stage has other neurons, or currents that are no whole numbers.
    /// Its synapses and image are still to be given.
    fileprivate init?(_ stage: NeuronStage, at index: Int, of program: Program, steps: Int) {
        guard stage.isInteger, stage.rule.kind == SPIKE_NEURON_IF, stage.reset == nil, stage.rule.growth == 2,
            let exponent = stage.rule.exponent, stage.provenSteps >= steps
        else { return nil }
        // Currents of another kind lie as lanes do.
        guard
            !stage.evaluatesOffset || stage.analog != nil || stage.lanes.block == 1
                || stage.lanes.tile == stage.lanes.block * stage.lanes.channelStride
        else { return nil }
        (self.stage, target, lanes) = (index, 0, LayerPlan.lanes(stage.layout))
        (synapses, products, largest, largestRead) = ([], 0, 1 << (exponent + 1) - 1, 0)
        if let layer = stage.analog, let input = program.graph.inputs.firstIndex(where: { $0.name == layer.input }) {
            analog = LayerPlan.Analog(layer: layer, input: input, limit: stage.offsetLimit)
        }
        (start, threshold, inverse) = (Memory(count: lanes * 4), Memory(count: lanes * 4), Memory(count: lanes * 4))
        for lane in 0..<lanes {
            threshold.integers[lane] = lane < stage.layout.channels ? stage.threshold.integers[lane] : 1
            inverse.floats[lane] = 1 / Float(threshold.integers[lane])
            guard lane < stage.layout.channels else { continue }
            start.integers[lane] =
                stage.initial.integers[lane] << Int32(steps) + (stage.rounding?.integers[lane] ?? 0)
                + (stage.evaluatesOffset ? 0 : stage.offsets?.integers[lane] ?? 0)
        }
    }
}
