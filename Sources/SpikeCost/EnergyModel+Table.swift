import Foundation

extension EnergyModel {
    /// All models, from counts of arithmetic to whole devices. Constants that have no public source are not here.
    public static let all: [EnergyModel] =
        [
            arithmetic("45 nm float32 arithmetic", multiply: 3.7, add: 0.9),
            arithmetic("45 nm float16 arithmetic", multiply: 1.1, add: 0.4),
            arithmetic(
                "45 nm int8 arithmetic", multiply: 0.2, add: 0.1, note: "Products of 8 bits are added up in 32 bits, spikes' weights too. "),
            equalPrecision, onChipReused, onChipUnused, offChip,
        ] + devices

    private static let horowitz = """
        M. Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014, 45 nm, 0.9 V
        """

    private static func pico(_ range: ClosedRange<Double>) -> ClosedRange<Double> {
        range.lowerBound * 1e-12...range.upperBound * 1e-12
    }

    /// Additions and multiplications alone.
    ///
    /// - Parameters: prices in pJ.
    private static func arithmetic(_ name: String, multiply: Double, add: Double, note: String = "") -> EnergyModel {
        EnergyModel(
            name: name, source: horowitz,
            assumptions: """
                \(multiply) pJ a multiplication, \(add) pJ an addition; nothing else has a price. \(note)The ANN: without its zero \
                activations, to dense. The SNN: all synaptic operations as additions, to those on pooled and graded values as \
                multiply–accumulates; the input's multiply–accumulates once, of a time-varying input in every step.
                """,
            ann: { pico($0.effective * (multiply + add)...$0.dense * (multiply + add)) },
            snn: { work in
                let input = work.input * (multiply + add)
                return pico(input + work.operations * add...input + work.accumulates * add + work.graded * (multiply + add))
            })
    }

    /// An ANN of as many levels as the spiking network can express.
    private static let equalPrecision = EnergyModel(
        name: "ANN of equal precision",
        source: """
            \(horowitz); the bits after Z. Yan, Z. Bai, K. Tang, W.-F. Wong, "Reconsidering the energy efficiency of spiking neural \
            networks inference from analytical perspectives", arXiv 2409.08290
            """,
        assumptions: """
            Activations of ⌈log₂(levels + 1)⌉ bits against weights of 8: 0.2 pJ · bits / 8 a multiplication (the price of 8 × 8 \
            bits, in proportion to the shorter factor: ours), 0.1 pJ an addition in 32 bits. No memory. Ranges as above.
            """,
        ann: { work in
            let price = multiply(bits: work.levels) + 0.1
            return pico(work.effective * price...work.dense * price)
        },
        snn: { work in
            let price = multiply(bits: work.levels) + 0.1
            return pico(work.input * 0.3 + work.operations * 0.1...work.input * 0.3 + work.accumulates * 0.1 + work.graded * price)
        })

    private static func multiply(bits levels: Double) -> Double { 0.2 * min(8, max(1, log2(levels + 1).rounded(.up))) / 8 }

    /// 64 bits from 8 KB of SRAM: 10 pJ.
    private static let perByte = 10.0 / 8

    private static let onChipReused = EnergyModel(
        name: "int8, SRAM, all reused", source: horowitz,
        assumptions: """
            int8 arithmetic, and 10 pJ for 64 bits of an 8 KB SRAM. The ANN reads each weight once, writes and reads each activation \
            once (a byte). The SNN: layer by layer, so that weights are read once, spikes written and read as bits, membranes stay in \
            registers; to step by step, where weights are read and membranes (2 bytes) read and written in every step.
            """,
        ann: { work in
            let traffic = (work.weights + 2 * work.neurons) * perByte
            return pico(work.effective * 0.3 + traffic...work.dense * 0.3 + traffic)
        },
        snn: { work in
            let bits = 2 * work.neuronSteps / 8
            let least = work.input * 0.3 + work.operations * 0.1 + (work.weights + bits) * perByte
            let states = work.weightSteps + 4 * work.neuronSteps
            return pico(least...work.input * 0.3 + work.accumulates * 0.1 + work.graded * 0.3 + (states + bits) * perByte)
        })

    private static let onChipUnused = EnergyModel(
        name: "int8, SRAM, nothing reused", source: horowitz,
        assumptions: """
            int8 arithmetic, and 10 pJ for 64 bits of an 8 KB SRAM. Every multiply–accumulate reads a weight and an activation and \
            reads and writes its sum (32 bits); every synaptic operation reads a weight and reads and writes a membrane (32 bits). \
            Ranges as for arithmetic.
            """,
        ann: { work in
            let price = 0.3 + 10 * perByte
            return pico(work.effective * price...work.dense * price)
        },
        snn: { work in
            let (input, spike, graded) = (work.input * (0.3 + 10 * perByte), 0.1 + 9 * perByte, 0.3 + 10 * perByte)
            return pico(input + work.operations * spike...input + work.accumulates * spike + work.graded * graded)
        })

    private static let offChip = EnergyModel(
        name: "int8, weights in DRAM", source: horowitz,
        assumptions: """
            int8 arithmetic, and 1.3 to 2.6 nJ for 64 bits of DRAM. The ANN reads each weight (a byte) once. The SNN once too, layer by \
            layer; to once in every step. What stays on the chip has no price.
            """,
        ann: { pico($0.effective * 0.3 + $0.weights * 1300 / 8...$0.dense * 0.3 + $0.weights * 2600 / 8) },
        snn: { work in
            let arithmetic = work.input * 0.3 + work.accumulates * 0.1
            let least = arithmetic + work.graded * 0.1 + work.weights * 1300 / 8
            return pico(least...arithmetic + work.graded * 0.3 + work.weightSteps * 2600 / 8)
        })

    /// The devices of keras-spiking's table, each with the publication that it names.
    private static let devices: [EnergyModel] = [
        dense("CPU (Intel i7-4960X)", operation: 8.6e-9, neuron: 8.6e-9, degnan),
        dense("GPU (GTX Titan Black)", operation: 0.3e-9, neuron: 0.3e-9, degnan),
        dense("CPU (ARM Cortex-A)", operation: 0.9e-9, neuron: 0.9e-9, degnan),
        chip("SpiNNaker", operation: 13.3e-9, neuron: 26e-9, hoeppner), chip("SpiNNaker2", operation: 450e-12, neuron: 2.19e-9, hoeppner),
        chip("Loihi", operation: 27.1e-12, neuron: 81e-12, davies),
    ]

    private static let kerasSpiking = ", as in ModelEnergy of keras-spiking 0.3.0"
    private static let degnan = """
        B. Degnan, B. Marr, J. Hasler, "Assessing trends in performance per watt for signal processing applications", IEEE TVLSI 24 \
        (2016)
        """
    private static let hoeppner = """
        S. Höppner et al., "Dynamic power management for neuromorphic many-core systems", IEEE TCAS I 66 (2019), arXiv 1903.08941
        """
    private static let davies = """
        M. Davies et al., "Loihi: A neuromorphic manycore processor with on-chip learning", IEEE Micro 38 (2018): 23.6 pJ a synaptic \
        operation and 3.5 pJ for a hop
        """

    private static func dense(_ name: String, operation: Double, neuron: Double, _ source: String) -> EnergyModel {
        EnergyModel(
            name: name, source: source + kerasSpiking,
            assumptions: """
                \(figure(operation * 1e9)) nJ a connection and \(figure(neuron * 1e9)) nJ an activation of a dense pass, each taken as one \
                multiply–accumulate; data movement, idle power and the host are left out.
                """,
            ann: { work in
                let energy = work.dense * operation + work.neurons * neuron
                return energy...energy
            }, snn: nil)
    }

    private static func chip(_ name: String, operation: Double, neuron: Double, _ source: String) -> EnergyModel {
        EnergyModel(
            name: name, source: source + kerasSpiking,
            assumptions: """
                \(figure(operation * 1e12)) pJ a synaptic operation, \(figure(neuron * 1e12)) pJ a neuron in every step in which it may send; the input's operations once, to \
                in every step (always, where it is time-varying). Data movement between chips, idle power and the host are left out.
                """,
            ann: nil,
            snn: { work in
                let rest = work.operations * operation + work.neuronSteps * neuron
                return rest + work.input * operation...rest + work.input * work.inputPasses * operation
            })
    }

    private static func figure(_ value: Double) -> String { String(format: "%g", value) }
}
