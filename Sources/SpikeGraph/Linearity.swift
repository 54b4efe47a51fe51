/// How an operator treats a sum of inputs: the central rule of conversion.
///
/// A spiking network sends an activation in parts, step by step. What lies between two neurons therefore has to give the
/// same result for the parts, summed, as for the whole. Each operator declares which of these it is.
public enum Linearity: String, Sendable, CaseIterable {
    /// f(x + y) = f(x) + f(y): passes spikes on as they are.
    case linear
    /// A linear part and a constant. The constant is a bias current, added in every step.
    case affine
    /// A maximum over a window: exact on running sums (see ``RunningMaximumPool``), wrong on single spikes.
    case maximum
    /// max(0, x), possibly bounded above or rounded to levels: an activation that neurons can stand for.
    case activation
    /// Emits spikes, or observes; it is at home in a spiking network.
    case neuron
    /// Everything else: only in front of the first neuron, or after the last step at the very output.
    case nonlinear
}
