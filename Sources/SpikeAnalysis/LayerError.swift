/// How far a layer's activations in the spiking network are from the ANN's, and why.
///
/// Of each neuron and sample: let z be the current that the ANN's ReLU r reads and r(z) its activation; x the mean
/// current that the neuron received (its sum over all steps, decoded like an output); θ the largest activation the neuron can
/// express; Q(x) what it would have sent had the same current arrived whole before its first spike: the quantiser at its L
/// levels; and y what it did send. All in units of the ANN's activation. Then
///
///     y − r(z) =  r(x) − r(z)              inherited error: the layer's input differs already
///               + min(r(x), θ) − r(x)      clipping error: beyond θ
///               + Q(x) − min(r(x), θ)      quantisation error: rounded to the L levels of 0…θ
///               + y − Q(x)                 unevenness error: the order in which the current arrived
///
/// Under a layer-synchronous schedule y is Q(x), and the unevenness error zero. A correction of biases is part of x: what it moves
/// counts as inherited, although it is there to balance the other parts.
///
/// Each number here is a root mean square over neurons and samples, divided by the root mean square of r(z). The signed parts
/// of one neuron sum to its total; their root mean squares do not, where errors cancel.
///
/// Source of the terms: Bu et al., "Optimal ANN-SNN Conversion for High-accuracy and Ultra-low-latency Spiking Neural Networks",
/// ICLR 2022 (clipping, quantisation and unevenness error).
public struct LayerError: Codable, Sendable, Equatable {
    /// The neurons' node in the spiking network.
    public var name: String
    /// The ANN's ReLU that they replaced.
    public var activation: String
    /// The neurons of one sample.
    public var neurons: Int
    /// θ: least and largest of the channels'.
    public var threshold: ClosedRange<Float>
    /// L: the levels above zero.
    public var levels: Int
    /// Spikes of a neuron over the whole inference, mean over neurons and samples.
    public var spikesPerNeuron: Double
    /// The root mean square of the ANN's activations, in their units.
    public var annRootMeanSquare: Double
    /// `nil` for all parts, and the total, where the ANN's activations are all zero.
    public var inherited: Double?
    /// The clipping error, of activations beyond θ.
    public var clipping: Double?
    /// The quantisation error, of rounding to levels.
    public var quantization: Double?
    /// The unevenness error, of spikes at the wrong time.
    public var unevenness: Double?
    /// The whole difference y − r(z).
    public var total: Double?
    /// What the layer itself adds: the clipping, quantisation and unevenness errors together, y − r(x).
    public var added: Double?

    /// Neither network's neurons were ever active.
    public var isDead: Bool { annRootMeanSquare == 0 && spikesPerNeuron == 0 }
    /// The ANN's neurons were active on these samples, the spiking network's never.
    public var isSilent: Bool { annRootMeanSquare > 0 && spikesPerNeuron == 0 }
}
