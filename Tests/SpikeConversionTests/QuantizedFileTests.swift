import Foundation
import SpikeConversion
import SpikeData
import SpikeGraph
import SpikeReference
import TestSupport
import Testing

/// Files of quantised networks as their exporters write them, and ONNX Runtime's outputs (Tools/Fixtures/make_quantised_fixtures.py).
@Suite("Quantised networks from files")
struct QuantizedFileTests {
    private static let folder = Repository.root.appendingPathComponent("Tests/Fixtures/Quantised")
    static let files: [String] =
        ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter { $0.hasSuffix(".onnx") }.sorted()
        .map { String($0.dropLast(5)) }

    private func network(_ name: String) throws -> Graph { try Fixtures.network(Self.folder.appendingPathComponent("\(name).onnx").path) }

    private func expected(_ name: String) throws -> Tensor {
        try NPZ(path: Self.folder.appendingPathComponent("expected.npz").path).tensor(name)
    }

    private func quantizers(_ graph: Graph) -> [Quantizer] {
        graph.nodes.compactMap { if case .quantizer(let quantizer) = $0.operator { quantizer } else { nil } }
    }

    @Test(arguments: files.filter { $0.hasPrefix("qcfs") })
    func `clip–floor activations of both exporters are exact, as ANN and as SNN, unary and radix`(name: String) throws {
        let ann = try network(name)
        let isRound = name.contains("round") || name.contains("straight_through")
        let found = quantizers(ann)
        #expect(found.map(\.step) == [1, 2] && found.map(\.levels) == [4, 4] && found.allSatisfy { $0.lowest == 0 })
        #expect(found.allSatisfy { $0.rounding == (isRound ? .halfToEven : .halfUp) })
        // Convolutions, quantisers, pool, flatten, linear: nothing of the patterns is left.
        #expect(ann.nodes.count == 7)
        let input = try expected("input")
        let outputs = try expected(name)
        #expect(try ReferenceExecutor(ann).run([input]) == [outputs])
        for steps in [nil, 4, 3] {
            let snn = try QuantizedConverter(steps: steps)(ann)
            #expect(try decoded(snn, input).outputs == [outputs], "\(steps ?? 0)")
        }
    }

    @Test func `PyTorch's fake quantisation is exact`() throws {
        let name = "fake_quantize_torchscript"
        let ann = try network(name)
        #expect(quantizers(ann).map(\.levels) == [127, 255])
        let input = try expected("input")
        let outputs = try expected(name)
        #expect(try ReferenceExecutor(ann).run([input]) == [outputs])
        let snn = try QuantizedConverter()(ann)
        #expect(snn.spiking?.steps == 8 && snn.spiking?.code.kind == .radix)
        #expect(try decoded(snn, input).outputs == [outputs])
    }

    /// How many outputs differ, and by how many steps of the output's own quantiser at most.
    private func compare(_ a: Tensor, _ b: Tensor, step: Float) -> (places: Int, steps: Float) {
        let differences = zip(a.floats, b.floats).map { (abs($0 - $1) / step).rounded() }
        return (differences.count { $0 > 0 }, differences.max() ?? 0)
    }

    /// The network's outputs with `QuantizeLinear` in plain float32: ties behind average pools, a quarter of all activations
    /// there, go where the rounding of Σ Δ·n/4/Δ takes them.
    private func plainOutputs(_ ann: Graph, _ input: Tensor) throws -> Tensor {
        var values = ann.constants
        values["input"] = input
        for node in ann.nodes {
            if case .quantizer(let quantizer) = node.operator {
                values[node.name] = values[node.inputs[0]]?.map {
                    let level = ($0 / quantizer.step).rounded(.toNearestOrEven)
                    return min(Float(quantizer.levels), max(Float(quantizer.lowest), level)) * quantizer.step
                }
            } else {
                values[node.name] = try ReferenceExecutor.evaluate(node.operator, node.inputs.compactMap { values[$0] })[0]
            }
        }
        return try #require(values[ann.outputs[0].value])
    }

    /// The reference is ONNX Runtime's default session, which computes convolutions in integers. Tolerance: 3 of 320 outputs
    /// by one step (found: none). Scales are no dyadic numbers, so that float32 rounds sums, each order of them otherwise; an
    /// activation within 10⁻⁶ or so of the middle between two levels may go to the other one.
    @Test(arguments: files.filter { $0.hasPrefix("cnn_qdq") })
    func `ONNX Runtime's quantised cnn agrees with its own outputs, and its spikes with both`(name: String) throws {
        let ann = try network(name)
        let images = try NPZ(path: Fixtures.model("test_1000.npz")).tensor("images").samples(0..<32)
        let input = Tensor(images.floats.map { $0 / 255 }, shape: [32, 1, 28, 28])
        let step = try #require(quantizers(ann).last?.step)
        let outputs = try expected("\(name).optimised")
        func expectEqual(_ a: Tensor, _ b: Tensor, _ what: Comment) {
            let difference = compare(a, b, step: step)
            #expect(difference.places <= 3 && difference.steps <= 1, "\(what): \(difference)")
        }
        let result = try ReferenceExecutor(ann).run([input])[0]
        let isSymmetric = name.hasSuffix("symmetric")
        if isSymmetric {
            // Signed bytes: average pools are computed in integers as well, so that ties are ties.
            expectEqual(result, outputs, "the ANN and ONNX Runtime")
        } else {
            // Pools are computed in float32: the same network with ties left to chance is ONNX Runtime's, and ties as ties
            // change outputs by no more than two steps of 0.11.
            expectEqual(try plainOutputs(ann, input), outputs, "the ANN, ties left to float32, and ONNX Runtime")
            #expect(compare(result, outputs, step: step).steps <= 2)
        }
        let snn = try QuantizedConverter()(ann)
        #expect(snn.spiking?.steps == (isSymmetric ? 7 : 8) && snn.spiking?.code.kind == .radix)
        let spiking = try decoded(snn, input).outputs[0]
        expectEqual(spiking, result, "the SNN and the ANN")
    }

    /// Tolerance: 3 of 320 outputs by one step of the output's own quantiser. In 16 bits, where sums in float32 are rounded by about as much as
    /// a step in a few of a hundred thousand activations, 10: by the machine's kernels for products, 1 to 5 are.
    @Test(arguments: files.filter { $0.hasPrefix("plain_qdq") })
    func `QuantizeLinear rounds as ONNX Runtime, near ties too`(name: String) throws {
        let ann = try network(name)
        let input = try expected("plain")
        let step = try #require(quantizers(ann).last?.step)
        let result = try ReferenceExecutor(ann).run([input])[0]
        for reference in [name, "\(name).optimised"] {
            let difference = compare(result, try expected(reference), step: step)
            #expect(difference.places <= (name.hasSuffix("16") ? 10 : 3) && difference.steps <= 1, "\(reference): \(difference)")
        }
        let spiking = try decoded(QuantizedConverter()(ann), input).outputs[0]
        let difference = compare(spiking, result, step: step)
        #expect(difference.places <= 3 && difference.steps <= 1, "the SNN: \(difference)")
    }

    @Test func `a quantiser of never positive numbers runs, and becomes neurons`() throws {
        let ann = try network("negative_qdq")
        let input = try expected("plain")
        #expect(quantizers(ann).contains { $0.levels == 0 && $0.lowest == -255 })
        let result = try ReferenceExecutor(ann).run([input])[0]
        let step = try #require(quantizers(ann).last?.step)
        let difference = compare(result, try expected("negative_qdq"), step: step)
        #expect(difference.places <= 3 && difference.steps <= 1, "\(difference)")
        let snn = try QuantizedConverter(allowAnalog: true)(ann)
        #expect(snn.nodes.contains { ($0.operator.payload as? NeuronNode)?.site?.bound == 0 })
    }
}
