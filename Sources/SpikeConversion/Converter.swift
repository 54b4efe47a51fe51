public import SpikeGraph
import SpikeReference

/// Converts an ANN with ReLUs to a spiking network, as SpikingJelly's `ann2snn.Converter` does.
///
///     let converter = try Converter(dataloader: loader, mode: .percentile(99.9))
///     let snn = try converter(ann)
///     print(snn)
///
/// The network that went in is a value and stays as it was.
public struct Converter: Sendable {
    /// Where conversion runs. Only the CPU; the parameter exists because the seed system has it.
    public enum Device: String, Sendable {
        /// The processor; the only device there is.
        case cpu
    }

    /// How max pooling treats spikes.
    public enum Pooling: String, Sendable, CaseIterable, Codable {
        /// The growth of the maximum of running sums: exact for rates (``RunningMaximumPool``).
        case runningMaximum = "running-maximum"
        /// The maximum of each step's spikes by themselves, as in the seed system: it overestimates, more with every step.
        case instantaneous
    }

    /// The name of this recipe: binary spikes, rates, streaming.
    public static let recipe = "rate-coding"

    /// The calibration data; each conversion makes one pass over it.
    public var dataloader: any BatchSource
    /// Where to compute; accepted for SpikingJelly's sake.
    public var device: Device
    /// How activations give a layer's threshold.
    public var mode: VoltageHook.Mode
    /// The weight m of each batch after the first in the moving average s ← (1 − m)·s + m·sₜ.
    public var momentum: Float
    /// Whether batch normalisations are folded into the convolutions before them.
    public var fuseFlag: Bool
    /// How max pooling treats spikes.
    public var pooling: Pooling
    /// Lets activations that cannot become neurons stay in the network, with a warning each.
    public var allowAnalog: Bool

    /// - Parameters:
    ///   - dataloader: the calibration data; its batches are gone through once.
    ///   - mode: how a batch of activations gives a threshold.
    ///   - momentum: the weight of each batch after the first in the moving average of thresholds, 0…1.
    ///   - fuseFlag: whether batch normalisation is folded into convolutions first.
    /// - Throws: for a mode or a momentum outside its range.
    public init(
        dataloader: any BatchSource, device: Device = .cpu, mode: VoltageHook.Mode = .max, momentum: Float = 0.1, fuseFlag: Bool = true,
        pooling: Pooling = .runningMaximum, allowAnalog: Bool = false
    ) throws {
        _ = try VoltageHook(momentum: momentum, mode: mode)
        self.dataloader = dataloader
        self.device = device
        self.mode = mode
        self.momentum = momentum
        self.fuseFlag = fuseFlag
        self.pooling = pooling
        self.allowAnalog = allowAnalog
    }

    /// Converts `ann`: fuse, hook, calibrate, replace.
    ///
    /// - Throws: ``SpikeletError`` that lists everything in the network that cannot spike; or says what is wrong with the
    ///   calibration data.
    public func callAsFunction(_ ann: Graph) throws -> Graph {
        let leavingOut = LeaveOutOutputs(of: ann)
        let notes = try leavingOut.notes + Convertibility(ann).check(allowAnalog: allowAnalog)
        let fused = try Self.fuse(SplitRectifiers().run(leavingOut.run(ann)), fuseFlag: fuseFlag)
        let hooked = try Self.setVoltageHook(fused, mode: mode, momentum: momentum)
        let calibrated = try Self.calibrate(hooked, dataloader: dataloader)
        var snn = try Self.replaceByIFNode(calibrated)
        if pooling == .runningMaximum { snn = try UseRunningMaximum().run(snn) }

        let samples =
            calibrated.nodes.compactMap { if case .voltageHook(let hook) = $0.operator { hook.samplesTracked } else { nil } }.max() ?? 0
        var description = snn.spiking ?? SpikingDescription(recipe: Converter.recipe)
        description.facts = [
            "mode": mode.description, "momentum": "\(momentum)", "fuse": "\(fuseFlag)", "pooling": pooling.rawValue,
            "calibrationSamples": "\(samples)",
        ]
        description.warnings = notes + description.warnings
        return try snn.applying(Patch(), spiking: description)
    }

    /// Folds batch normalisation into the convolutions before it (see ``FuseConvBatchNorm``).
    public static func fuse(_ graph: Graph, fuseFlag: Bool = true) throws -> Graph {
        fuseFlag ? try FuseConvBatchNorm().run(graph) : graph
    }

    /// Adds a ``VoltageHook`` behind every ReLU.
    public static func setVoltageHook(_ graph: Graph, mode: VoltageHook.Mode = .max, momentum: Float = 0.1) throws -> Graph {
        try SetVoltageHooks(mode: mode, momentum: momentum).run(graph)
    }

    /// Runs the network over the data, so that its hooks see their activations. ``Progress`` tells how far it has come.
    ///
    /// - Returns: the graph with the hooks' new scales.
    /// - Throws: where the data is empty, does not fit the network, or makes NaN or infinity.
    public static func calibrate(_ graph: Graph, dataloader: any BatchSource) throws -> Graph {
        var hooks: [String: VoltageHook] = [:]
        for node in graph.nodes {
            if case .voltageHook(let hook) = node.operator { hooks[node.name] = hook }
        }
        let executor = ReferenceExecutor(graph)
        try dataloader.forEach("calibrating") { portion in
            _ = try executor.run(portion.batch.inputs) { node, operands, _ in
                guard var hook = hooks.removeValue(forKey: node.name) else { return }
                do {
                    _ = try hook(operands[0])
                } catch let error as SpikeletError {
                    throw error.located("batch \(portion.number): node '\(node.inputs[0])'")
                }
                hooks[node.name] = hook
            }
        }
        var patch = Patch()
        for node in graph.nodes {
            guard let hook = hooks[node.name] else { continue }
            var copy = node
            copy.operator = .voltageHook(hook)
            patch.replace(copy)
        }
        return try graph.applying(patch)
    }

    /// Replaces every ReLU that a ``VoltageHook`` watches by a spiking neuron (see ``ReplaceByIFNode``).
    public static func replaceByIFNode(_ graph: Graph) throws -> Graph {
        try ReplaceByIFNode().run(graph)
    }
}
