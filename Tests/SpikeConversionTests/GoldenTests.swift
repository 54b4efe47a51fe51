import SpikeConversion
import SpikeData
import SpikeGraph
import SpikeReference
import Testing

/// Numbers that SpikingJelly 0.0.0.0.14 gave (`Tests/Fixtures/Golden/README.md`).
@Suite("SpikingJelly's numbers")
struct GoldenTests {
    static let modes: [(key: String, mode: VoltageHook.Mode)] = [
        ("max", .max), ("99.9p", .percentile(99.9)), ("1_2", .scaled(1 / 2)), ("1_3", .scaled(1 / 3)), ("1_4", .scaled(1 / 4)),
        ("1_5", .scaled(1 / 5)),
    ]

    private func scales(_ snn: Graph) -> [Float] {
        (0...).lazy.map { snn.node(named: "snn tailor.\($0).2") }.prefix { $0 != nil }.compactMap { node in
            if case .voltageScaler(let scaler) = node?.operator { scaler.scales[0] } else { nil }
        }
    }

    private func batches(_ images: Tensor, size: Int) -> [Batch] {
        stride(from: 0, to: images.shape[0], by: size).map { Batch(images.samples($0..<min($0 + size, images.shape[0]))) }
    }

    @Test(arguments: modes.map(\.key), ["tiny_fused", "tiny_unfusedbn"])
    func `thresholds, spikes, membranes and outputs of the tiny network are the same`(key: String, network: String) throws {
        let golden = try NPZ(path: Fixtures.golden("tiny_sj0.0.0.0.14.npz"))
        let mode = try #require(Self.modes.first { $0.key == key }).mode
        let loader = batches(try golden.tensor("calib_input"), size: 8)
        let snn = try Converter(dataloader: loader, mode: mode, pooling: .instantaneous)(
            Fixtures.network(Fixtures.golden("\(network).onnx")))
        for (found, expected) in zip(scales(snn), try golden.array("\(key)/scales").floats()) {
            #expect(abs(found - expected) <= 1e-5 * expected)
        }

        let simulation = try ReferenceSimulation(snn)
        let input = try golden.tensor("input")
        let steps = try golden.array("\(key)/step_outputs").shape[0]
        let stepOutputs = try golden.tensor("\(key)/step_outputs")
        let spikes = try (0..<3).map { try golden.tensor("\(key)/spikes_\($0)") }
        var differences = 0
        for step in 0..<steps {
            let output = try simulation.step([input], isSameInput: step > 0) { node, _, results in
                guard let layer = (0..<3).first(where: { node.name == "snn tailor.\($0).1" }) else { return }
                let expected = spikes[layer].samples(step..<step + 1).floats
                differences += zip(results[0].floats, expected).count { $0 != $1 }
            }[0]
            for (found, expected) in zip(output.floats, stepOutputs.samples(step..<step + 1).floats) {
                #expect(abs(found - expected) < 1e-5)
            }
        }
        #expect(differences == 0)
        for layer in 0..<3 {
            let membranes = try #require(simulation.neuronStates["snn tailor.\(layer).1"]).membrane.floats
            let expected = try golden.tensor("\(key)/v_final_\(layer)").floats
            #expect(zip(membranes, expected).allSatisfy { abs($0 - $1) < 1e-4 })
        }
    }

    @Test(arguments: modes.map(\.key), ["cnn_ts_op17", "cnn_unfusedbn_ts_op17"])
    func `thresholds, spike totals and outputs of the tutorial network agree`(key: String, network: String) throws {
        let golden = try NPZ(path: Fixtures.golden("cnn_sj0.0.0.0.14.npz"))
        let mode = try #require(Self.modes.first { $0.key == key }).mode
        let loader = try DataLoader(Dataset(path: Fixtures.model("train_2000.npz")), batchSize: 100)
        let snn = try Converter(dataloader: loader, mode: mode, pooling: .instantaneous)(
            Fixtures.network(Fixtures.golden("\(network).onnx")))
        for (found, expected) in zip(scales(snn), try golden.array("\(key)/scales").floats()) {
            #expect(abs(found - expected) <= 1e-5 * expected)
        }

        let simulation = try ReferenceSimulation(snn)
        let input = try golden.tensor("input")
        let expectedOutputs = try golden.tensor("\(key)/step_outputs")
        var (error, size): (Double, Double) = (0, 0)
        for step in 0..<expectedOutputs.shape[0] {
            let output = try simulation.step([input], isSameInput: step > 0)[0]
            for (found, expected) in zip(output.floats, expectedOutputs.samples(step..<step + 1).floats) {
                error += Double(abs(found - expected))
                size += Double(abs(expected))
            }
        }
        #expect(error < 0.002 * size, "the mean output error is \(error / size * 100) %")

        let totals = try golden.tensor("\(key)/spike_total_per_image")
        for layer in 0..<3 {
            let counts = try #require(simulation.spikeCounts["snn tailor.\(layer).1"])
            for image in 0..<totals.shape[0] {
                let found = Double(counts.samples(image..<image + 1).floats.reduce(0, +))
                let expected = Double(totals.floats[image * 3 + layer])
                #expect(abs(found - expected) <= 0.001 * expected, "layer \(layer), image \(image): \(found) spikes instead of \(expected)")
            }
        }
    }
}
