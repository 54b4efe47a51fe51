import Foundation

/// A spiking neuron's rule, for a whole layer of them at once.
///
/// A new neuron is one file with a type that conforms, and one line in ``NeuronRegistry``. Its rule runs in the reference
/// executor at once.
public protocol Neuron: Codable, Hashable, Sendable {
    /// The name in printouts and files.
    static var kind: String { get }

    /// The state before the first step.
    ///
    /// - Parameter shape: of the layer, `[N, C, …]`.
    func initialState(shape: [Int]) -> NeuronState

    /// One time step.
    ///
    /// - Parameters:
    ///   - current: what arrives in this step, `[N, C, …]`.
    ///   - state: as the step before left it.
    /// - Returns: what the neurons emit, shaped like `current`: the number of spikes of each (negative for spikes taken
    ///   back), zero almost everywhere.
    func step(_ current: Tensor, state: inout NeuronState) -> Tensor

    /// Parameters as a person would write them.
    var summary: String { get }
}

/// What a layer of neurons remembers from step to step.
public struct NeuronState: Sendable, Equatable {
    /// The membrane potential v of each neuron, shaped like the layer.
    public var membrane: Tensor
    /// What else a rule needs to remember, by a name of its own; each shaped like the layer.
    public var memory: [String: Tensor] = [:]

    public init(membrane: Tensor) {
        self.membrane = membrane
    }
}

/// A neuron as an operator of a graph.
public struct NeuronNode: OperatorPayload {
    public static let name = "Neuron"
    public var neuron: any Neuron

    public init(_ neuron: any Neuron) {
        self.neuron = neuron
    }

    public var arity: ClosedRange<Int> { 1...1 }

    public func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] { try unaryType(inputs) }

    public func linearity(isConstant: [Bool]) -> Linearity { .neuron }

    public var summary: String { neuron.summary }

    public static func == (a: NeuronNode, b: NeuronNode) -> Bool { AnyHashable(a.neuron) == AnyHashable(b.neuron) }

    public func hash(into hasher: inout Hasher) { hasher.combine(AnyHashable(neuron)) }

    private enum Key: String, CodingKey { case kind, parameters }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        let kind = try container.decode(String.self, forKey: .kind)
        guard let type = NeuronRegistry.type(named: kind) else {
            throw SpikeletError(
                .unsupported, "neuron '\(kind)' is not known", remedy: "register its type with NeuronRegistry.register, or update Spikelet")
        }
        self.neuron = try type.init(from: container.superDecoder(forKey: .parameters))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(type(of: neuron).kind, forKey: .kind)
        try neuron.encode(to: container.superEncoder(forKey: .parameters))
    }
}

/// The neurons that files may name.
public enum NeuronRegistry {
    private static let builtIn: [any Neuron.Type] = [
        IFNode.self
    ]

    private static let lock = NSLock()
    nonisolated(unsafe) private static var types = Dictionary(uniqueKeysWithValues: builtIn.map { ($0.kind, $0) })

    /// Makes a neuron of your own known, so that files that hold it can be read.
    public static func register(_ type: any Neuron.Type) {
        lock.withLock { types[type.kind] = type }
    }

    static func type(named kind: String) -> (any Neuron.Type)? {
        lock.withLock { types[kind] }
    }
}
