public import SpikeGraph

/// A network in NIR, the Neuromorphic Intermediate Representation: nodes with names, and edges that say whose output goes
/// into whom. Several edges into one node are summed. Shapes count neither samples nor time.
///
/// Source: Pedersen et al., "Neuromorphic intermediate representation", Nature Communications 2024; version 1.0.8 of the
/// format.
public struct NIRGraph: Sendable, Equatable {
    /// One edge.
    public struct Edge: Sendable, Hashable {
        /// The node that it begins at.
        public var source: String
        /// The node that it leads to.
        public var target: String

        /// An edge from one node to another.
        public init(_ source: String, _ target: String) {
            self.source = source
            self.target = target
        }
    }

    /// The nodes by name.
    public var nodes: [String: NIRNode]
    /// Who reads from whom.
    public var edges: [Edge]
    /// What people and programs wrote beside the network.
    public var metadata: [String: NIRMetadata]

    /// A graph of nodes and edges; nothing is checked yet.
    public init(nodes: [String: NIRNode] = [:], edges: [Edge] = [], metadata: [String: NIRMetadata] = [:]) {
        self.nodes = nodes
        self.edges = edges
        self.metadata = metadata
    }
}

/// What a person or a program may leave beside the network; no reader has to look at it.
public enum NIRMetadata: Sendable, Equatable {
    /// A text.
    case text(String)
    /// Numbers.
    case numbers(Tensor)
}

/// One node of a ``NIRGraph``.
public struct NIRNode: Sendable, Equatable {
    /// What the node computes.
    public var operation: NIROperation
    /// What people and programs wrote beside the node.
    public var metadata: [String: NIRMetadata]

    /// A node.
    public init(_ operation: NIROperation, metadata: [String: NIRMetadata] = [:]) {
        self.operation = operation
        self.metadata = metadata
    }
}

/// What a node of NIR does; x is the sum of what arrives.
public indirect enum NIROperation: Sendable, Equatable {
    /// Where samples come in, of this shape.
    case input(shape: [Int])
    /// Where results go out, of this shape.
    case output(shape: [Int])
    /// `Affine`: y = W x + b; without a bias `Linear`. W is `[out, in]`.
    case affine(weight: Tensor, bias: Tensor?)
    /// y = s ⊙ x.
    case scale(Tensor)
    /// A convolution over one or two axes.
    case convolution(NIRConvolution)
    /// A sum or a mean over windows.
    case pool(NIRPool)
    /// Several axes become one.
    case flatten(NIRFlatten)
    /// y(t) = x(t − τ).
    case delay(Tensor)
    /// y = 1 where x > θ, else 0.
    case threshold(Tensor)
    /// A layer of neurons.
    case neuron(NIRNeuron)
    /// A network inside the network.
    case graph(NIRGraph)
    /// Something that NIR has no node for. It never reaches a file: plain arrays alone are made of such a graph.
    case unsayable(String)

    /// NIR's name for the type of node.
    public var typeName: String {
        switch self {
        case .input: "Input"
        case .output: "Output"
        case .affine(_, let bias): bias == nil ? "Linear" : "Affine"
        case .scale: "Scale"
        case .convolution(let convolution): convolution.rank == 1 ? "Conv1d" : "Conv2d"
        case .pool(let pool): pool.isAverage ? "AvgPool2d" : "SumPool2d"
        case .flatten: "Flatten"
        case .delay: "Delay"
        case .threshold: "Threshold"
        case .neuron(let neuron): neuron.kind.rawValue
        case .graph: "NIRGraph"
        case .unsayable(let name): name
        }
    }
}

/// `Conv1d` and `Conv2d`.
public struct NIRConvolution: Sendable, Equatable {
    /// `[C_out, C_in / groups, kernel…]`.
    public var weight: Tensor
    /// `[C_out]`.
    public var bias: Tensor
    /// The spatial sizes of what arrives; `nil` where the file leaves it open.
    public var inputShape: [Int]?
    /// The steps of the window along each axis.
    public var stride: [Int]
    /// The same on both sides of an axis.
    public var padding: [Int]
    /// The distance of a window's places along each axis.
    public var dilation: [Int]
    /// How many parts the channels fall into; each output reads from one of them.
    public var groups: Int

    /// A convolution.
    public init(
        weight: Tensor, bias: Tensor, inputShape: [Int]?, stride: [Int], padding: [Int], dilation: [Int], groups: Int = 1
    ) {
        self.weight = weight
        self.bias = bias
        self.inputShape = inputShape
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.groups = groups
    }

    /// The number of spatial axes.
    public var rank: Int { weight.rank - 2 }
}

/// `SumPool2d` and `AvgPool2d`; padded places are zeros, and count in a mean.
public struct NIRPool: Sendable, Equatable {
    /// Whether sums are divided by the window's places.
    public var isAverage: Bool
    /// The window's size along each axis.
    public var kernel: [Int]
    /// The steps of the window along each axis.
    public var stride: [Int]
    /// What is added at both ends of each axis.
    public var padding: [Int]

    /// A pool.
    public init(isAverage: Bool, kernel: [Int], stride: [Int], padding: [Int]) {
        self.isAverage = isAverage
        self.kernel = kernel
        self.stride = stride
        self.padding = padding
    }
}

/// `Flatten`: the axes from the first to the last named become one. Axes do not count samples.
public struct NIRFlatten: Sendable, Equatable {
    /// The shape of its input, where the file says it.
    public var inputShape: [Int]?
    /// The first of the axes that become one, counted without the samples' axis.
    public var firstAxis: Int
    /// The last of them; −1: the last of all.
    public var lastAxis: Int

    /// A flatten.
    public init(inputShape: [Int]?, firstAxis: Int = 0, lastAxis: Int = -1) {
        self.inputShape = inputShape
        self.firstAxis = firstAxis
        self.lastAxis = lastAxis
    }
}

/// NIR's neurons. Time is continuous; who runs a file chooses the steps.
public struct NIRNeuron: Sendable, Equatable {
    /// The neurons that NIR knows, by its names.
    public enum Kind: String, Sendable, CaseIterable {
        /// v' = R x.
        case integrator = "I"
        /// v' = R x; a spike where v > θ.
        case integrateAndFire = "IF"
        /// τ v' = (v_leak − v) + R x.
        case leakyIntegrator = "LI"
        /// The same with spikes.
        case leaky = "LIF"
        /// τ_syn i' = −i + w_in x;  τ_mem v' = (v_leak − v) + R i.
        case currentLeakyIntegrator = "CubaLI"
        /// The same with spikes.
        case currentLeaky = "CubaLIF"

        /// The names of its parameters in a file, in NIR's order.
        public var parameterNames: [String] {
            switch self {
            case .integrator: ["r"]
            case .integrateAndFire: ["r", "v_threshold", "v_reset"]
            case .leakyIntegrator: ["tau", "r", "v_leak"]
            case .leaky: ["tau", "r", "v_leak", "v_threshold", "v_reset"]
            case .currentLeakyIntegrator: ["tau_syn", "tau_mem", "r", "v_leak", "w_in"]
            case .currentLeaky: ["tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "v_reset", "w_in"]
            }
        }
    }

    /// Which neuron.
    public var kind: Kind
    /// By name; each has the shape of the layer, or is a single number.
    public var parameters: [String: Tensor]

    /// A layer of neurons with its parameters by NIR's names.
    public init(_ kind: Kind, _ parameters: [String: Tensor]) {
        self.kind = kind
        self.parameters = parameters
    }

    /// A parameter; 0 where `v_reset` or `v_leak` is missing, and 1 where another is.
    public func parameter(_ name: String) -> Tensor {
        parameters[name] ?? Tensor(scalar: name == "v_reset" || name == "v_leak" ? 0 : 1)
    }
}
