/// What spikes say: how the steps of a run are weighed against each other, and which numbers of steps there are.
///
/// A number sent in T steps is `weight(of: T) · Σ growthᵀ⁻ᵗ · s(t)`, in units of what a spike stands for.
public struct SpikeCode: Sendable, Hashable {
    /// How steps are weighed.
    public enum Kind: String, Sendable, Hashable, Codable {
        /// Every spike stands for θ / T: activations are counts.
        case rate
        /// A spike in step k of K stands for θ · bᴷ⁻ᵏ / (bᴷ − 1): activations are numbers of K digits, most significant first
        /// (``RadixNeuron``).
        case radix
        /// A spike in step t of T stands for θ · B¹⁻ᵗ, and a neuron sends one, or two: the earlier, the more (``LatencyNeuron``).
        case latency
    }

    /// The most steps of a run.
    public static let mostSteps = 1 << 20

    /// How steps are weighed.
    public let kind: Kind
    /// Of a rate code the number of steps that thresholds were chosen for, where there is one; of others K or T, the only one they have.
    public var steps: Int?
    /// What a step is worth against the next one: b of a radix code, B of a latency code, 1 of a rate code.
    public let base: Float

    /// Counts of spikes; thresholds were chosen for `steps` of them.
    public static func rate(steps: Int? = nil) -> SpikeCode { SpikeCode(kind: .rate, steps: steps, base: 1) }

    /// Digits of base `base`.
    public static func radix(digits: Int?, base: Int = 2) -> SpikeCode {
        SpikeCode(kind: .radix, steps: digits, base: Float(base))
    }

    /// Few spikes, each worth `base` times what it would be a step later.
    public static func latency(steps: Int, base: Float) -> SpikeCode { SpikeCode(kind: .latency, steps: steps, base: base) }

    /// What a running sum is multiplied with before the next step is added.
    public var growth: Float { base }

    /// Whether it has one number of steps only, its own.
    public var isReadAsAWhole: Bool { kind != .rate }

    /// Whether a current that does not depend on spikes, such as a bias, arrives with the last step alone, so that no growth reaches it.
    public var constantsComeLast: Bool { kind != .rate }

    /// Whether such a current arrives in a step.
    public func hasConstants(inStep index: Int, of count: Int) -> Bool { !constantsComeLast || index == count - 1 }

    /// What the sum of all steps is divided by.
    public func divisor(after steps: Int) -> Float { kind == .rate ? Float(steps) : 1 }

    /// What a spike in the last step of `count` counts for in the number that is sent.
    public func weight(of count: Int) -> Double { 1 / Double(divisor(after: count)) }

    /// How many values above zero a neuron with at most one spike a step, or in all of a latency code, can send in so many steps.
    public func levels(_ steps: Int) -> Int {
        guard kind == .radix else { return steps }
        let base = Int(base)
        var power = 1
        for _ in 0..<steps {
            let (next, overflow) = power.multipliedReportingOverflow(by: base)
            if overflow { return Int.max }
            power = next
        }
        return power - 1
    }

    /// The number of steps that is run where `asked` is asked for.
    public func steps(asked: Int) -> Int { isReadAsAWhole ? steps ?? asked : asked }

    /// The numbers of steps that are reported where some are asked for, in order.
    public func steps(asked: [Int]) -> [Int] {
        isReadAsAWhole ? (steps ?? asked.max()).map { [$0] } ?? [] : Set(asked).sorted()
    }

    /// Throws where no network can be simulated for so many steps.
    public static func check(steps: Int, _ code: SpikeletError.Code = .invalidOption) throws {
        guard (1...mostSteps).contains(steps) else {
            throw SpikeletError(code, "\(steps) time steps", remedy: "a simulation has from 1 to \(mostSteps) steps")
        }
    }

    /// Throws where some numbers of steps are not to be reported.
    public static func check(steps: [Int]) throws {
        guard let largest = steps.max(), let least = steps.min(), least >= 1, largest <= mostSteps else {
            throw SpikeletError(
                .invalidOption, "steps \(steps)",
                remedy: "give one or more numbers of time steps from 1 to \(mostSteps), such as 1,2,4,8,16,32")
        }
    }

    /// Throws where spikes of this code mean nothing after so many steps.
    public func check(steps count: Int) throws {
        try Self.check(steps: count)
        guard isReadAsAWhole, let steps, steps != count else { return }
        throw SpikeletError(
            .invalidOption, "\(count) steps for a \(kind.rawValue) code of \(steps)",
            remedy: "simulate it with `steps: \(steps)`; convert again for another number")
    }

    /// Throws where a number is outside its range.
    func validate() throws {
        if let steps { try Self.check(steps: steps, .invalidModel) }
        let isPermitted =
            switch kind {
            case .rate: base == 1
            case .radix: (2...16).contains(base) && base.rounded() == base
            case .latency: base > 1 && base.isFinite && steps != nil
            }
        guard isPermitted else {
            let remedy = kind == .latency ? "it has a number of steps, and a base above 1" : "digits have a base from 2 to 16"
            throw SpikeletError(.invalidModel, "a \(kind.rawValue) code of base \(base)", remedy: remedy)
        }
    }
}

extension Graph {
    /// The code of a spiking network; of an ANN that of rates, which leaves numbers of steps as they are.
    package var spikeCode: SpikeCode { spiking?.code ?? .rate() }
}
