import SpikeConversion
import SpikeFormats
import SpikeGraph
import TestSupport

/// Small networks with every pool in every place, and every recipe, for what is written as NIR.
enum NIRGrid {
    /// A network with pools at certain places.
    struct Cell: Sendable, CustomStringConvertible {
        /// Where its pools are, for people.
        let name: String
        /// The row of the table that it belongs to.
        let group: String
        /// Why no file can say it, where none can: part of the message.
        var refusal: String?
        let build: @Sendable (inout Builder) -> Void

        var description: String { name }

        init(_ name: String, _ group: String, refusal: String? = nil, _ build: @escaping @Sendable (inout Builder) -> Void) {
            (self.name, self.group, self.refusal, self.build) = (name, group, refusal, build)
        }
    }

    private static let half = Window(kernel: [2, 2], strides: [2, 2])
    private static let overlapping = Window(kernel: [3, 3], strides: [2, 2])
    private static let padded = Window(kernel: [3, 3], strides: [2, 2], padsBegin: [1, 1], padsEnd: [1, 1])
    private static let noSpike = "max pooling of what is no spike"

    static let cells: [Cell] = [
        Cell("no pool", "none") {
            $0.conv(); $0.act(); $0.conv(); $0.act()
        },
        Cell("conv, BN, ReLU", "none") {
            $0.conv(); $0.norm(); $0.act(); $0.conv(); $0.norm(); $0.act()
        },
        Cell("residual sum", "none") {
            $0.conv(); $0.act(); $0.residual(); $0.conv(); $0.act()
        },
        Cell("average", "average") {
            $0.conv(); $0.act(); $0.average(half); $0.conv(); $0.act()
        },
        Cell("average, padded", "average") {
            $0.conv(); $0.act(); $0.average(padded); $0.conv(); $0.act()
        },
        Cell("average, global", "average") {
            $0.conv(); $0.act(); $0.conv(); $0.act(); $0.globalAverage()
        },
        Cell("average of the input", "average") {
            $0.average(half); $0.conv(); $0.act(); $0.conv(); $0.act()
        },
        Cell("average before ReLU", "average") {
            $0.conv(); $0.average(half); $0.act(); $0.conv(); $0.act()
        },
        Cell("max", "max") {
            $0.conv(); $0.act(); $0.max(half); $0.conv(); $0.act()
        },
        Cell("max behind BN", "max") {
            $0.conv(); $0.norm(); $0.act(); $0.max(half); $0.conv(); $0.act()
        },
        Cell("max, overlapping", "max") {
            $0.conv(); $0.act(); $0.max(overlapping); $0.conv(); $0.act()
        },
        Cell("max, padded", "max") {
            $0.conv(); $0.act(); $0.max(padded); $0.conv(); $0.act()
        },
        Cell("max, dilated", "max") {
            $0.conv(); $0.act(); $0.max(Window(kernel: [2, 2], dilations: [2, 2])); $0.conv(); $0.act()
        },
        Cell("max of one place", "max") {
            $0.conv(); $0.act(); $0.max(Window(kernel: [1, 1], strides: [2, 2])); $0.conv(); $0.act()
        },
        Cell("max, global", "max") {
            $0.conv(); $0.act(); $0.max(half); $0.conv(); $0.act(); $0.globalMax()
        },
        Cell("max of a residual sum", "max of sums") {
            $0.conv(); $0.act(); $0.residual(); $0.max(half); $0.conv(); $0.act()
        },
        Cell("max of a concatenation", "max of sums") {
            $0.conv(); $0.act(); $0.dense(); $0.max(half); $0.conv(); $0.act()
        },
        Cell("max behind average", "max of sums") {
            $0.conv(); $0.act(); $0.average(Window(kernel: [2, 2])); $0.max(half); $0.conv(); $0.act()
        },
        Cell("max behind max", "max of sums") {
            $0.conv(); $0.act(); $0.max(Window(kernel: [2, 2])); $0.max(half); $0.conv(); $0.act()
        },
        Cell("average behind max", "max of sums") {
            $0.conv(); $0.act(); $0.max(Window(kernel: [2, 2])); $0.average(half); $0.conv(); $0.act()
        },
        Cell("max before ReLU", "max before ReLU") {
            $0.conv(); $0.max(half); $0.act(); $0.conv(); $0.max(half); $0.act()
        },
        Cell("max before BN and ReLU", "max before ReLU") {
            $0.conv(); $0.max(padded); $0.norm(); $0.act(); $0.conv(); $0.act()
        },
        Cell("max of a sum before ReLU", "max before ReLU") {
            $0.conv(); $0.act(); $0.sum(); $0.max(half); $0.act(); $0.conv(); $0.act()
        },
        Cell("max behind max before ReLU", "max before ReLU") {
            $0.conv(); $0.max(Window(kernel: [2, 2])); $0.max(half); $0.act(); $0.conv(); $0.act()
        },
        Cell("max, global, before ReLU", "max before ReLU") {
            $0.conv(); $0.act(); $0.max(half); $0.conv(); $0.globalMax(); $0.act()
        },
        Cell("max before two ReLUs", "max before ReLU") {
            $0.conv(); $0.max(half); $0.twice(); $0.conv(); $0.act()
        },
        Cell("shortcut of ResNet option A", "moved") {
            $0.conv(); $0.act(); $0.optionA()
        },
        Cell("upsampling", "moved") {
            $0.conv(); $0.act(); $0.upsample(); $0.conv(); $0.act()
        },
        Cell("upsampling before ReLU", "moved") {
            $0.conv(); $0.upsample(); $0.norm(); $0.act(); $0.conv(); $0.act()
        },
        Cell("U-Net", "moved") {
            $0.conv(); $0.act(); $0.skip(); $0.conv(); $0.act()
        },
        Cell("transposed convolution", "moved") {
            $0.conv(); $0.act(); $0.deconv(); $0.norm(); $0.act(); $0.conv(); $0.act()
        },
        Cell("max behind upsampling", "moved") {
            $0.conv(); $0.act(); $0.upsample(); $0.max(half); $0.conv(); $0.act()
        },
        Cell("max of the input", "refused", refusal: noSpike) {
            $0.max(half); $0.conv(); $0.act()
        },
        Cell("max before a convolution", "refused", refusal: noSpike) {
            $0.conv(); $0.act(); $0.conv(); $0.max(half); $0.conv(); $0.act()
        },
        Cell("max before a negative scale", "refused", refusal: "negative scale") {
            $0.conv(); $0.max(half); $0.norm(-1); $0.act()
        },
        Cell("max at the output", "refused", refusal: noSpike) {
            $0.conv(); $0.act(); $0.conv(); $0.globalMax()
        },
    ]

    /// Puts a network together, node by node. Values are `[N, C, side, side]`.
    struct Builder {
        var random = SeededGenerator(5)
        var activation: Operator
        var nodes: [Node] = []
        var constants: [String: Tensor] = [:]
        var value = "x"
        var channels = 2
        var side = 7

        mutating func add(_ name: String, _ operation: Operator, _ inputs: [String]) {
            let name = "\(name)\(nodes.count)"
            nodes.append(Node(name, operation, inputs: inputs))
            value = name
        }

        mutating func constant(_ shape: [Int], in range: ClosedRange<Float>) -> String {
            let name = "c\(constants.count)"
            constants[name] = Tensor((0..<shape.reduce(1, *)).map { _ in Float.random(in: range, using: &random) }, shape: shape)
            return name
        }

        mutating func act() { add("act", activation, [value]) }

        mutating func conv() {
            let window = Window(kernel: [3, 3], padsBegin: [1, 1], padsEnd: [1, 1])
            let operands = [value, constant([3, channels, 3, 3], in: -0.4...0.5), constant([3], in: -0.2...0.2)]
            add("conv", .conv(Conv(window: window)), operands)
            channels = 3
        }

        /// Scales like `sign` in every channel.
        mutating func norm(_ sign: Float = 1) {
            let scale = constant([channels], in: sign > 0 ? 0.7...1.4 : -1.4 ... -0.7)
            let others = [constant([channels], in: -0.2...0.2), constant([channels], in: -0.2...0.2), constant([channels], in: 0.5...1.5)]
            add("norm", .batchNormalization(BatchNormalization()), [value, scale] + others)
        }

        mutating func shrink(_ window: Window) {
            let reach = (window.kernel[0] - 1) * window.dilations[0] + 1
            side = (side + 2 * window.padsBegin[0] - reach) / window.strides[0] + 1
        }

        mutating func max(_ window: Window) {
            add("max", .maxPool(MaxPool(window: window)), [value])
            shrink(window)
        }

        mutating func average(_ window: Window) {
            add("average", .averagePool(AveragePool(window: window, countsPadding: true)), [value])
            shrink(window)
        }

        mutating func globalMax() {
            add("max", .globalMaxPool(GlobalMaxPool()), [value])
            side = 1
        }

        mutating func globalAverage() {
            add("average", .globalAveragePool(GlobalAveragePool()), [value])
            side = 1
        }

        /// x + act(conv(x)).
        mutating func residual() {
            let trunk = value
            conv()
            act()
            add("sum", .add(Add()), [trunk, value])
        }

        /// conv(x) + conv(x).
        mutating func sum() {
            let trunk = value
            conv()
            let other = value
            value = trunk
            conv()
            add("sum", .add(Add()), [other, value])
        }

        /// x beside act(conv(x)).
        mutating func dense() {
            let trunk = value
            conv()
            act()
            add("both", .concat(Concat(axis: 1)), [trunk, value])
            channels = 6
        }

        /// act(x) + act(conv(act(x))), x being read twice.
        mutating func twice() {
            let trunk = value
            act()
            let first = value
            add("act", activation, [trunk])
            conv()
            act()
            add("sum", .add(Add()), [first, value])
        }

        /// Every second place of x, and channels of zeros, and a convolution of stride 2.
        mutating func optionA() {
            let trunk = value
            let window = Window(kernel: [3, 3], strides: [2, 2], padsBegin: [1, 1], padsEnd: [1, 1])
            add(
                "conv", .conv(Conv(window: window)), [trunk, constant([5, channels, 3, 3], in: -0.4...0.5), constant([5], in: -0.2...0.2)])
            act()
            let branch = value
            let cuts = [2, 3].map { Slice.Cut(axis: $0, start: 0, end: Int.max, step: 2) }
            add("cut", .slice(Slice(cuts: cuts)), [trunk])
            add("zeros", .pad(Pad(begins: [0, 1, 0, 0], ends: [0, 1, 0, 0])), [value])
            add("sum", .add(Add()), [branch, value])
            act()
            shrink(window)
            channels = 5
        }

        mutating func upsample() {
            side *= 2
            let axes = [2, 3].map { Resize.Axis(axis: $0, size: side, scale: 2) }
            add("up", .resize(Resize(axes: axes, coordinates: .asymmetric, rounding: .floor)), [value])
        }

        /// x beside what is made of half of it, larger again and with zeros at the edges.
        mutating func skip() {
            let (trunk, size) = (value, side)
            average(half)
            conv()
            act()
            upsample()
            let missing = size - side
            add("zeros", .pad(Pad(begins: [0, 0, 0, 0], ends: [0, 0, missing, missing])), [value])
            add("both", .concat(Concat(axis: 1)), [trunk, value])
            (side, channels) = (size, 6)
        }

        mutating func deconv() {
            let window = Window(kernel: [4, 4], strides: [2, 2], padsBegin: [1, 1], padsEnd: [1, 1])
            let operands = [value, constant([channels, 3, 4, 4], in: -0.4...0.5), constant([3], in: -0.2...0.2)]
            add("up", .convTranspose(ConvTranspose(window: window)), operands)
            (side, channels) = (2 * side, 3)
        }

        mutating func finish() throws -> Graph {
            add("flat", .flatten(Flatten()), [value])
            let weights = [constant([4, channels * side * side], in: -0.5...0.5), constant([4], in: -0.2...0.2)]
            add("logits", .gemm(Gemm(transposeB: true)), [value] + weights)
            return try Graph(
                name: "cell", inputs: [.init("x", ValueType(.float32, [.batch, 2, 7, 7]))], outputs: [.init("y", value: value)],
                nodes: nodes, constants: constants)
        }
    }

    static let recipes = ["rate-coding"] + Recipe.all.map(\.name) + ["quantised", "quantised, radix"]

    static func images(_ count: Int, seed: UInt64) -> Tensor {
        var generator = SeededGenerator(seed)
        return Tensor((0..<count * 98).map { _ in Float.random(in: -0.25...1, using: &generator) }, shape: [count, 2, 7, 7])
    }

    private static let calibration = [Batch(images(16, seed: 1))]

    static func ann(_ cell: Cell, _ recipe: String) throws -> Graph {
        // Six steps, or three digits.
        let levels = recipe == "quantised" ? 6 : 7
        let isQuantised = recipe.hasPrefix("quantised")
        var builder = Builder(
            activation: isQuantised
                ? .quantizer(try Quantizer(step: 1.5 / Float(levels), levels: levels, rounding: .halfUp)) : .relu(Relu()))
        cell.build(&builder)
        return try builder.finish()
    }

    static func convert(_ cell: Cell, _ recipe: String) throws -> Graph {
        let ann = try ann(cell, recipe)
        if recipe.hasPrefix("quantised") { return try QuantizedConverter()(ann) }
        guard let recipe = Recipe.named(recipe) else { return try Converter(dataloader: calibration, mode: .percentile(99))(ann) }
        return try RecipeConverter(recipe.options(recipe.usualSteps), calibration: calibration)(ann)
    }
}
