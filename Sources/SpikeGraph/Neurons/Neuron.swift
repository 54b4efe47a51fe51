import Foundation

/// A spiking neuron's rule, for a whole layer of them at once: how it takes up a current, and what it then emits.
///
/// The schedule decides when each happens. Streaming: integrate and emit in every step. Layer-synchronous: integrate all
/// steps of the input first, then emit all steps of the output.
///
/// A new neuron is one file with a type that conforms, and one line in ``NeuronRegistry``. Its rule runs in the reference
/// executor at once.
public protocol Neuron: Codable, Hashable, Sendable {
    /// The name in printouts and files.
    static var kind: String { get }

    /// The schedules under which the rule means what it says.
    static var schedules: Set<SpikingDescription.Schedule> { get }

    /// θ: the current that is worth one spike (in the last step, of digits), for each neuron; 1 of rules that emit values.
    var currentOfSpike: NeuronParameter { get }

    /// What a neuron can emit in a step, negative for spikes taken back; `nil`, by default, for any number.
    var spikesPerStep: ClosedRange<Int>? { get }

    /// The rule as the engine's kernels know it; `nil`, by default, for a rule that runs on the reference path.
    var fastRule: FastRule? { get }

    /// What stands in for the rule where only integrate-and-fire with one threshold is understood; `nil`, by default, for nothing.
    func rateStandIn(for reader: RateStandIn.Reader) -> RateStandIn?

    /// The state before the first step; by default membranes at v₀ of ``fastRule``, or at 0.
    ///
    /// - Parameter shape: of the layer, `[N, C, …]`.
    func initialState(shape: [Int]) -> NeuronState

    /// Takes up one step's current; by default it is added to the membrane.
    ///
    /// - Parameter current: `[N, C, …]`, in the unit of ``currentOfSpike``.
    func integrate(_ current: Tensor, state: inout NeuronState, at time: TimeStep)

    /// Emits one step's spikes: for each neuron their number (negative for spikes taken back), zero almost everywhere.
    func emit(_ state: inout NeuronState, at time: TimeStep) -> Tensor

    /// What layer-synchronous neurons send in all for a potential that has arrived whole, in units of their last step's spike; `nil`, by
    /// default, for a rule whose number depends on more.
    ///
    /// - Parameter potentials: in the unit of ``currentOfSpike``.
    func numbers(of potentials: Tensor) -> Tensor?

    /// Parameters as a person would write them.
    var summary: String { get }

    /// Throws where a parameter is outside its range, so that no graph holds such a neuron, wherever it comes from. By default all are
    /// welcome.
    func validate() throws

    /// How many neurons of a sample the rule is for; `nil`, by default, for any number.
    var neuronsPerSample: Int? { get }
}

extension Neuron {
    public var spikesPerStep: ClosedRange<Int>? { nil }
    public var fastRule: FastRule? { nil }
    public func rateStandIn(for reader: RateStandIn.Reader) -> RateStandIn? { nil }
    public func numbers(of potentials: Tensor) -> Tensor? { nil }
    public func validate() throws {}
    public var neuronsPerSample: Int? { nil }

    public func initialState(shape: [Int]) -> NeuronState {
        NeuronState(membrane: Tensor(repeating: fastRule?.initialMembrane ?? 0, shape: shape))
    }

    public func integrate(_ current: Tensor, state: inout NeuronState, at time: TimeStep) { state.add(current) }

    /// A step of the streaming schedule: integrate, then emit.
    ///
    /// - Precondition: the rule emits one number a neuron, as it has to: what reads them relies on it.
    /// - Returns: the spikes, shaped like `current`.
    public func step(_ current: Tensor, state: inout NeuronState, at time: TimeStep) -> Tensor {
        integrate(current, state: &state, at: time)
        let spikes = emit(&state, at: time)
        precondition(spikes.shape == current.shape, "\(Self.kind) emits \(spikes.shape) for a current of \(current.shape)")
        return spikes
    }
}

/// Throws where a neuron's threshold or initial membrane is no usable number.
func validate(threshold: Float, initialMembrane: Float) throws {
    guard threshold > 0, threshold.isFinite else {
        throw SpikeletError(
            .invalidModel, "a threshold of \(threshold): the neuron would fire without end", remedy: "thresholds are above 0")
    }
    guard initialMembrane.isFinite else { throw SpikeletError(.invalidModel, "an initial membrane of \(initialMembrane)") }
}

/// A position in a simulation.
public struct TimeStep: Hashable, Sendable {
    /// Steps before this one.
    public var index: Int
    /// The steps of the whole simulation (T, or K); `nil` where it goes on until someone stops it.
    public var count: Int?

    /// A step of a simulation, counted from 0.
    public init(_ index: Int, of count: Int? = nil) {
        self.index = index
        self.count = count
    }

    /// Which of K digits, counted from the most significant, is sent in this step. Numbers end together: in a run of more steps than K
    /// the first ones are silent, so that a spike's weight is a matter of its step alone. `nil`: a silent one.
    package func place(ofDigits digits: Int) -> Int? {
        let place = index - max(0, (count ?? digits) - digits)
        return place < 0 ? nil : place
    }
}

/// What a layer of neurons remembers from step to step.
public struct NeuronState: Sendable, Equatable {
    /// The membrane potential v of each neuron, shaped like the layer.
    public var membrane: Tensor
    /// What else a rule needs to remember, by a name of its own; each shaped like the layer.
    public var memory: [String: Tensor] = [:]

    /// A state that remembers nothing else.
    public init(membrane: Tensor) {
        self.membrane = membrane
    }

    /// v ← factor · v + current.
    ///
    /// - Precondition: there is a current for each neuron.
    public mutating func add(_ current: Tensor, afterScaling factor: Float = 1) {
        var values = membrane.floats
        let added = current.floats
        precondition(values.count == added.count, "a state of \(values.count) neurons for \(added.count) currents")
        values.withUnsafeMutableBufferPointer { values in
            added.withUnsafeBufferPointer { added in
                for index in values.indices { values[index] = factor * values[index] + added[index] }
            }
        }
        membrane = Tensor(values, shape: membrane.shape)
    }

    /// Lets every neuron emit.
    ///
    /// - Parameter rule: changes a neuron's membrane and returns its number of spikes.
    @inlinable
    public mutating func emit(_ rule: (inout Float) -> Float) -> Tensor {
        var values = membrane.floats
        var spikes = values
        values.withUnsafeMutableBufferPointer { values in
            spikes.withUnsafeMutableBufferPointer { spikes in
                for index in values.indices { spikes[index] = rule(&values[index]) }
            }
        }
        membrane = Tensor(values, shape: membrane.shape)
        return Tensor(spikes, shape: membrane.shape)
    }

    /// Lets every neuron emit, by its membrane and one number that it remembers under `name` (0 at first).
    ///
    /// - Precondition: what ``memory`` holds under `name` is shaped like the layer.
    @inlinable
    public mutating func emit(remembering name: String, _ rule: (_ membrane: inout Float, _ memory: inout Float) -> Float) -> Tensor {
        var remembered = memory[name]?.floats ?? [Float](repeating: 0, count: membrane.count)
        var values = membrane.floats
        precondition(remembered.count == values.count, "\(remembered.count) remembered numbers of \(values.count) neurons")
        var emitted = values
        values.withUnsafeMutableBufferPointer { values in
            remembered.withUnsafeMutableBufferPointer { remembered in
                for index in values.indices { emitted[index] = rule(&values[index], &remembered[index]) }
            }
        }
        membrane = Tensor(values, shape: membrane.shape)
        memory[name] = Tensor(remembered, shape: membrane.shape)
        return Tensor(emitted, shape: membrane.shape)
    }
}

/// A neuron as an operator of a graph.
public struct NeuronNode: OperatorPayload {
    package static let name = "Neuron"
    /// The rule of every neuron of the layer.
    public var neuron: any Neuron
    /// What is added to the membranes of each channel (axis 1) before the first step; empty for nothing.
    public var initialOffsets: [Float]
    /// What the layer stands for; `nil` where no conversion placed it.
    public var site: Site?

    /// A layer of neurons.
    public init(_ neuron: any Neuron, initialOffsets: [Float] = [], site: Site? = nil) {
        self.neuron = neuron
        self.initialOffsets = initialOffsets
        self.site = site
    }

    /// The state before the first step.
    ///
    /// - Parameter shape: of the layer, `[N, C, …]`.
    public func initialState(shape: [Int]) -> NeuronState {
        var state = neuron.initialState(shape: shape)
        if !initialOffsets.isEmpty { state.membrane = state.membrane.addingToChannels(initialOffsets) }
        return state
    }

    package func outputTypes(_ inputs: [ValueType], constants: [Tensor?]) throws -> [ValueType] {
        let shape = inputs[0].shape
        guard initialOffsets.isEmpty || shape.rank >= 2 && shape[1] == Dimension(initialOffsets.count) else {
            throw SpikeletError(
                .invalidModel, "\(initialOffsets.count) initial offsets for a value of shape \(shape), one a channel is needed")
        }
        try neuron.validate()
        try site?.check(shape)
        if let count = neuron.neuronsPerSample {
            let sizes = shape.dimensions.dropFirst().compactMap(\.known)
            guard sizes.count == shape.rank - 1, sizes.reduce(1, *) == count else {
                throw SpikeletError(.invalidModel, "a rule of \(count) neurons for a value of shape \(shape)")
            }
        }
        guard initialOffsets.allSatisfy(\.isFinite) else { throw SpikeletError(.invalidModel, "an initial offset is not finite") }
        return try unaryType(inputs)
    }

    package func linearity(isConstant: [Bool]) -> Linearity { .neuron }

    package var summary: String {
        neuron.summary + (initialOffsets.isEmpty ? "" : ", corrected") + (site.map { ", for '\($0.activation)'" } ?? "")
    }

    public static func == (a: NeuronNode, b: NeuronNode) -> Bool {
        AnyHashable(a.neuron) == AnyHashable(b.neuron) && a.initialOffsets == b.initialOffsets && a.site == b.site
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(AnyHashable(neuron))
        hasher.combine(initialOffsets)
        hasher.combine(site)
    }

    private enum Key: String, CodingKey { case kind, parameters, initialOffsets, site }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        let kind = try container.decode(String.self, forKey: .kind)
        guard let type = NeuronRegistry.type(named: kind) else {
            throw SpikeletError(
                .unsupported, "neuron '\(kind)' is not known", remedy: "register its type with NeuronRegistry.register, or update Spikelet")
        }
        self.neuron = try type.init(from: container.superDecoder(forKey: .parameters))
        self.initialOffsets = try container.decodeIfPresent([Float].self, forKey: .initialOffsets) ?? []
        self.site = try container.decodeIfPresent(Site.self, forKey: .site)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(type(of: neuron).kind, forKey: .kind)
        try neuron.encode(to: container.superEncoder(forKey: .parameters))
        if !initialOffsets.isEmpty { try container.encode(initialOffsets, forKey: .initialOffsets) }
        try container.encodeIfPresent(site, forKey: .site)
    }
}

extension Tensor {
    /// `[N, C, …]` with one number a channel added.
    package func addingToChannels(_ offsets: [Float]) -> Tensor {
        var values = floats
        let size = shape.dropFirst(2).reduce(1, *)
        for index in values.indices { values[index] += offsets[index / size % offsets.count] }
        return Tensor(values, shape: shape)
    }
}

/// The neurons that files may name.
public enum NeuronRegistry {
    private static let builtIn: [any Neuron.Type] = [
        IFNode.self, SignedIFNeuron.self, BurstIFNeuron.self, RadixNeuron.self, DigitNeuron.self, LatencyNeuron.self, QuantizerNeuron.self,
        LIFNeuron.self, LINeuron.self, CubaLIFNeuron.self, MultiSpikeIFNeuron.self, ThresholdNeuron.self, DelayNeuron.self,
        FixedPointIFNeuron.self,
        RecurrentNeuron.self,
    ]

    private static let lock = NSLock()
    nonisolated(unsafe) private static var types = Dictionary(uniqueKeysWithValues: builtIn.map { ($0.kind, $0) })

    /// Makes a neuron of your own known, so that files that hold it can be read.
    public static func register(_ type: any Neuron.Type) {
        lock.withLock { types[type.kind] = type }
    }

    static func type(named kind: String) -> (any Neuron.Type)? {
        // What files of version 1 call …Node is …Neuron since.
        lock.withLock { types[kind] ?? (kind.hasSuffix("Node") ? types[kind.dropLast(4) + "Neuron"] : nil) }
    }
}
