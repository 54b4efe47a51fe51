/// Arithmetic energy of one inference, by the model that most papers on spiking networks use: each multiply–accumulate and
/// each accumulate has its price, and nothing else has one. Memory traffic, membrane updates and control, which dominate on
/// real devices, are not in it: read it as a count of operations in joules, not as a measurement. ``EnergyModel`` has others.
public struct Energy: Codable, Sendable, Equatable {
    /// What the numbers assume.
    public var model: String
    /// One inference of the ANN, joules: its multiply–accumulates.
    public var ann: Double
    /// One inference of the spiking network, joules: its synaptic operations as accumulates; the layers that read the analog
    /// input as multiply–accumulates, once, since a constant input gives the same current in every step; of a time-varying input its events
    /// as accumulates and other numbers as multiply–accumulates, in every step.
    public var snn: Double

    /// 45 nm, 0.9 V, float32. Source: M. Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014:
    /// multiplication 3.7 pJ, addition 0.9 pJ.
    public static func horowitz45nm(annOperations: Double, analogOperations: Double, synapticOperations: Double) -> Energy {
        let (multiplyAccumulate, accumulate) = (4.6e-12, 0.9e-12)
        return Energy(
            model: "45 nm float32 arithmetic (Horowitz 2014), without memory traffic",
            ann: annOperations * multiplyAccumulate, snn: analogOperations * multiplyAccumulate + synapticOperations * accumulate)
    }
}
