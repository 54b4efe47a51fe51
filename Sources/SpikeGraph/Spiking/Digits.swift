/// How many digits the layers of a network send.
extension NeuronNode {
    /// K of neurons that send the digits of a number; `nil` for others.
    package var digits: Int? {
        switch neuron {
        case let neuron as DigitNeuron: neuron.digits
        case let neuron as QuantizerNeuron: neuron.digits
        default: neuron.fastRule?.digits
        }
    }
}

extension Graph {
    /// K of each layer of neurons that sends digits, in order.
    package var digits: [Int] {
        nodes.compactMap { if case .neuron(let neurons) = $0.operator { neurons.digits } else { nil } }
    }

    /// Whether layers send other numbers of digits than the code's, which is the largest: they are then silent in their first steps.
    package var hasMixedDigits: Bool {
        guard let spiking, spiking.code.kind == .radix, let steps = spiking.code.steps else { return false }
        return digits.contains { $0 != steps }
    }

    /// The digits of the layers where they differ, for people: `4 3 3 2, mean 3.0`; `nil` where they do not.
    package var digitsByLayer: String? {
        guard hasMixedDigits else { return nil }
        let digits = digits
        let tenths = Int((10 * Double(digits.reduce(0, +)) / Double(digits.count)).rounded())
        return digits.map { "\($0)" }.joined(separator: " ") + ", mean \(tenths / 10).\(tenths % 10)"
    }
}
