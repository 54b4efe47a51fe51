import SpikeGraph
import SpikeReference
import SpikeRuntime

/// Finds how many steps a streaming network needs until its output is worth accumulating.
///
/// A layer's first spikes come before those of the layers in front of it, so that what the last layer shows at first says
/// little of the input. Leaving it out costs steps to average over. Several delays are tried on calibration samples, always
/// within the same T: the warm-up is part of the time that a prediction takes. The best delay for one half of the samples is kept
/// only if it also brings the outputs of the other half nearer to the ANN's.
///
/// The idea of a delayed readout is Bu, Li & Yu's, CVPR 2025 ("delayed evaluation"); they estimate it from thresholds and mean
/// activations alone.
struct ReadoutWarmUp {
    let steps: Int
    /// Samples used at most.
    static let samples = 128

    /// - Returns: the network with the delay, and with what it brought among its facts.
    func callAsFunction(_ snn: Graph, ann: Graph, data: any BatchSource) throws -> Graph {
        guard var description = snn.spiking else { return snn }
        let portions = try CalibrationPortions(of: data, first: Self.samples, for: snn).inputs
        guard !portions.isEmpty else {
            description.readoutDelay = nil
            description.warnings.append("no readout delay is estimated: that takes two calibration samples, or batches, at least")
            return try snn.applying(Patch(), spiking: description)
        }
        guard snn.outputs.first.flatMap({ snn.types[$0.value]?.elementType }) == .float32 else {
            throw SpikeletError(
                .unsupported, "a readout delay is estimated by the first output's numbers, and it has none",
                remedy: "give a number of steps")
        }
        let executor = ReferenceExecutor(ann)
        let expected = try portions.map { try executor.run($0)[0].floats }
        let bar = Progress.begin("estimating the readout delay", total: candidates.count, unit: "delays")
        defer { bar.finish() }
        var trials: [(delay: Int, fitted: Double, heldOut: Double)] = []
        for delay in candidates {
            description.readoutDelay = delay
            let simulation = try Simulation(try snn.applying(Patch(), spiking: description))
            var errors = [0.0, 0.0]
            for (position, inputs) in portions.enumerated() {
                let found = try simulation.run(inputs, steps: steps)[0].floats
                errors[position % 2] += zip(found, expected[position]).reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
            }
            trials.append((delay, errors[0], errors[1]))
            bar.advance()
        }
        let plain = trials[0]
        let best = trials.min { $0.fitted < $1.fitted } ?? plain
        let isKept = best.delay > 0 && best.heldOut < plain.heldOut
        description.readoutDelay = isKept ? best.delay : nil
        let change = plain.heldOut > 0 ? ((1 - best.heldOut / plain.heldOut) * 100).rounded() : 0
        description.facts["readoutDelay"] =
            isKept
            ? "\(best.delay) of \(steps) steps: squared error of held-out outputs \(Int(change)) % smaller"
            : "none: no delay brings held-out outputs nearer to the ANN's"
        return try snn.applying(Patch(), spiking: description)
    }

    /// 0, then shares of T up to one half.
    private var candidates: [Int] {
        [0] + Set((1...8).map { $0 * steps / 16 }).subtracting([0]).sorted()
    }
}
