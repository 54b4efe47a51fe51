import Foundation
import SpikeData
import SpikeGraph
import Testing

@Suite struct SimulateTests {
    private func distance(_ a: [Float], _ b: [Float]) -> Float {
        guard a.count == b.count else { return .infinity }
        return zip(a, b).map { abs($0 - $1) }.max() ?? 0
    }

    /// Row `index` of the first axis.
    private func row(_ tensor: Tensor, _ index: Int) -> [Float] { tensor.samples(index..<index + 1).floats }

    @Test func `outputs of each step and spike counts are the seed system's`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork(options: ["--batch-size", "8"])
        try NPY.write(Repository.golden("input"), to: folder.file("x.npy"))
        let run = try await folder.succeeding(
            "simulate", "snn.safetensors", "--input", "x.npy", "--steps", "16", "--output", "y.npy", "--per-step", "--spike-counts",
            "counts.npz")
        // Ours is the mean so far, the seed's is each step by itself.
        let steps = try Repository.golden("max/step_outputs")
        let output = try folder.tensor("y.npy")
        #expect(output.shape == [16, 4, 3])
        var sum = [Float](repeating: 0, count: 12)
        for step in 0..<16 {
            sum = zip(sum, row(steps, step)).map(+)
            #expect(distance(row(output, step), sum.map { $0 / Float(step + 1) }) < 1e-5)
        }
        let counts = try NPZ(path: folder.file("counts.npz"))
        #expect(counts.names == ["snn tailor.0.1", "snn tailor.1.1", "snn tailor.2.1"])
        let expected = try Repository.golden("max/spike_total_per_image")
        var total: Int64 = 0
        for (layer, name) in counts.names.enumerated() {
            let array = try counts.array(name)
            #expect(array.elementType == .int64 && array.shape[0] == 4)
            let values = try array.integers()
            for sample in 0..<4 {
                let size = values.count / 4
                let spikes = values[sample * size..<(sample + 1) * size].reduce(0, +)
                #expect(Float(spikes) == expected.floats[sample * 3 + layer])
                total += spikes
            }
        }
        let neurons = try counts.names.reduce(0) { $0 + (try counts.array($1).count) }
        #expect(run.lines[0] == "4 samples, 16 steps, \(String(format: "%.4f", Double(total) / Double(neurons))) spikes per neuron")
    }

    @Test func `many samples give what each of them gives alone`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork()
        let images = manyImages(205)
        func simulate(_ images: Tensor, _ name: String) async throws -> (output: Tensor, steps: Tensor, counts: [NumericArray]) {
            try NPY.write(images, to: folder.file("x.npy"))
            try await folder.succeeding("simulate", "snn.safetensors", "--input", "x.npy", "--steps", "5", "--output", "\(name).npy")
            try await folder.succeeding(
                "simulate", "snn.safetensors", "--input", "x.npy", "--steps", "5", "--output", "\(name)_steps.npy", "--per-step",
                "--spike-counts", "\(name).npz")
            let archive = try NPZ(path: folder.file("\(name).npz"))
            return (
                try folder.tensor("\(name).npy"), try folder.tensor("\(name)_steps.npy"), try archive.names.map { try archive.array($0) }
            )
        }
        let whole = try await simulate(images, "whole")
        #expect(whole.output.shape == [205, 3] && whole.steps.shape == [5, 205, 3])
        #expect(row(whole.steps, 4) == whole.output.floats)
        for range in [0..<2, 98..<103, 204..<205] {
            let part = try await simulate(images.samples(range), "part")
            #expect(part.output == whole.output.samples(range))
            for step in 0..<5 {
                #expect(row(part.steps, step) == Array(row(whole.steps, step)[range.lowerBound * 3..<range.upperBound * 3]))
            }
            for (mine, all) in zip(part.counts, whole.counts) {
                let size = all.count / 205
                #expect(try mine.integers() == Array(all.integers()[range.lowerBound * size..<range.upperBound * size]))
            }
        }
    }

    @Test func `a time-varying input that does not vary gives the same`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork()
        let images = manyImages(3)
        try NPY.write(images, to: folder.file("x.npy"))
        try NPY.write(Tensor((0..<6).flatMap { _ in images.floats }, shape: [6, 3, 1, 8, 8]), to: folder.file("tx.npy"))
        try await folder.succeeding("simulate", "snn.safetensors", "--input", "x.npy", "--steps", "6", "--output", "y.npy")
        try await folder.succeeding(
            "simulate", "snn.safetensors", "--input", "tx.npy", "--time-varying", "--steps", "6", "--output", "ty.npy")
        #expect(try folder.tensor("y.npy") == folder.tensor("ty.npy"))
        // Fewer steps than the input has: said, not hidden.
        let fewer = try await folder.spikelet("simulate", "snn.safetensors", "--input", "tx.npy", "--time-varying", "--steps", "4")
        #expect(fewer.status == 0)
        #expect(fewer.output.hasPrefix("3 samples, 4 steps"))
        #expect(fewer.errors == "note: the input has 6 time steps; the first 4 were simulated\n")
        let more = try await folder.spikelet("simulate", "snn.safetensors", "--input", "tx.npy", "--time-varying", "--steps", "7")
        #expect(more.status == 1)
        #expect(more.errors.contains("tx.npy: ") && more.errors.contains("7 steps"))
    }

    @Test func `events are the same as bytes, truth values and numbers`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork()
        let events = (0..<6 * 3 * 64).map { UInt8($0 * 7919 % 3 == 0 ? 1 : 0) }
        let shape = [6, 3, 1, 8, 8]
        try NPY.write(Tensor(events.map { Float($0) }, shape: shape), to: folder.file("f.npy"))
        try NPY.write(Tensor(events.map { $0 == 1 }, shape: shape), to: folder.file("b.npy"))
        try folder.write(npy("|u1", shape, events), "u.npy")
        for (kind, said) in [
            ("f", ""), ("b", ""), ("u", "note: u.npy: the bytes of a time-varying input are taken as they are, not divided by 255\n"),
        ] {
            for extra in [[], ["--reference"]] {
                let run = try await Program.run(
                    ["simulate", "snn.safetensors", "--input", "\(kind).npy", "--time-varying", "--steps", "6", "--output", "\(kind)y.npy"]
                        + extra,
                    in: folder.path)
                #expect(run.status == 0)
                #expect(run.errors == said)
            }
        }
        #expect(try folder.tensor("fy.npy") == folder.tensor("by.npy"))
        #expect(try folder.tensor("fy.npy") == folder.tensor("uy.npy"))
        #expect(try folder.tensor("fy.npy").floats.contains { $0 != 0 })
    }

    @Test func `bytes that look like counts, and become 0…1, are pointed out`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork()
        let counts = (0..<24 * 64).map { UInt8($0 * 7919 % 13) }
        try folder.write(npy("|u1", [24, 1, 8, 8], counts), "counts.npy")
        try folder.write(npy("|u1", [24, 1, 8, 8], counts.map { $0 * 20 }), "grey.npy")
        let said =
            "note: counts.npy: no byte is above 12, and bytes become 0…1 by 1/255: counts or events should be saved as float32 instead\n"
        for line in [
            "simulate snn.safetensors --input counts.npy", "run \(Repository.tiny) --input counts.npy",
            "benchmark snn.safetensors --input counts.npy --runs 1",
            "evaluate snn.safetensors --data counts.npy --ann \(Repository.tiny) --steps 2",
            "convert \(Repository.tiny) --calibration counts.npy --output c.safetensors",
        ] {
            let run = try await Program.run(line.split(separator: " ").map(String.init), in: folder.path)
            #expect(run.status == 0 && run.errors.contains(said), "\(line): \(run.errors)")
            let grey = try await Program.run(
                line.replacingOccurrences(of: "counts.npy", with: "grey.npy").split(separator: " ").map(String.init), in: folder.path)
            #expect(grey.status == 0 && !grey.errors.contains("no byte is above"), "\(line): \(grey.errors)")
        }
    }

    @Test func `a radix code shows the weighted partial sums`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork(recipe: "radix", options: ["--steps", "4"])
        try NPY.write(manyImages(3), to: folder.file("x.npy"))
        try await folder.succeeding("simulate", "snn.safetensors", "--input", "x.npy", "--output", "y.npy")
        try await folder.succeeding("simulate", "snn.safetensors", "--input", "x.npy", "--output", "steps.npy", "--per-step")
        let (output, steps) = (try folder.tensor("y.npy"), try folder.tensor("steps.npy"))
        #expect(steps.shape == [4, 3, 3])
        #expect(row(steps, 3) == output.floats)
        // With all four digits it comes near to the ANN.
        try await folder.succeeding("run", Repository.tiny, "--input", "x.npy", "--output", "ann.npy")
        let ann = try folder.tensor("ann.npy").floats
        #expect(distance(output.floats, ann) < 0.3 * (ann.map(abs).max() ?? 0))
        let refused = try await folder.spikelet("simulate", "snn.safetensors", "--input", "x.npy", "--steps", "5")
        #expect(refused.status == 1)
        #expect(refused.errors.contains("--steps 4"))
    }

    @Test func `the engine gives what the reference gives, and int8 nearly that`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork()
        try NPY.write(manyImages(20), to: folder.file("x.npy"))
        func simulate(_ name: String, _ options: String...) async throws -> Tensor {
            let run = try await Program.run(
                [
                    "simulate", "snn.safetensors", "--input", "x.npy", "--steps", "24", "--output", "\(name).npy", "--per-step",
                    "--spike-counts", "\(name).npz",
                ] + options, in: folder.path)
            try #require(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
            return try folder.tensor("\(name).npy")
        }
        let reference = try await simulate("reference", "--reference")
        let engine = try await simulate("engine")
        let small = try await simulate("int8", "--precision", "int8")
        #expect(distance(reference.floats, engine.floats) < 1e-4)
        let largest = reference.floats.map(abs).max() ?? 0
        #expect(distance(reference.floats, small.floats) < 0.2 * largest)
        #expect(reference.floats != small.floats)
        let archives = try ["reference", "engine", "int8"].map { try NPZ(path: folder.file("\($0).npz")) }
        for name in archives[0].names {
            let counts = try archives.map { try $0.array(name).integers() }
            #expect(counts[0] == counts[1])
            let (sum, difference) = (counts[0].reduce(0, +), zip(counts[0], counts[2]).reduce(0) { $0 + abs($1.0 - $1.1) })
            #expect(difference * 10 < sum, "\(difference) of \(sum)")
        }
        #expect(archives.allSatisfy { $0.names == archives[0].names })
    }

    @Test func `without a number of steps in the file it is 32`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork()
        let run = try await folder.succeeding("simulate", "snn.safetensors", "--input", "images.npy")
        #expect(run.output.hasPrefix("24 samples, 32 steps, "))
        #expect(folder.contents == ["data.npz", "images.npy", "logits.npy", "snn.safetensors", "unlabelled.npz"])
    }

    @Test func `a network of several inputs and outputs is converted, simulated and compared by their names`() async throws {
        let folder = try Folder()
        try folder.write(Models.twoInputs(), "model.onnx")
        func rows(_ factor: Int) -> Tensor { Tensor((0..<120).map { Float($0 * factor % 31) / 16 - 1 }, shape: [30, 4]) }
        try NPZ.write([("b", rows(11)), ("a", rows(7))], to: folder.file("x.npz"))
        try await folder.succeeding(
            "convert", "model.onnx", "--calibration", "x.npz", "--recipe", "radix", "--steps", "10", "--output", "snn.safetensors")
        try await folder.succeeding("run", "model.onnx", "--input", "x.npz", "--output", "expected.npz")
        try await folder.succeeding("simulate", "snn.safetensors", "--input", "x.npz", "--output", "found.npz")
        let (expected, found) = (try NPZ(path: folder.file("expected.npz")), try NPZ(path: folder.file("found.npz")))
        for name in ["y", "z"] {
            let pairs = zip(try found.array(name).floats(), try expected.array(name).floats())
            #expect(pairs.map { abs($0 - $1) }.max() ?? 1 < 0.01, "\(name)")
        }
        let compared = try await folder.spikelet("evaluate", "snn.safetensors", "--data", "x.npz", "--ann", "model.onnx", "--outputs")
        #expect(compared.status == 0 && compared.output.contains("30 samples"), "\(compared.errors)")
        try NPZ.write([("a", rows(7))], to: folder.file("half.npz"))
        for command in [["simulate", "snn.safetensors", "--input"], ["evaluate", "snn.safetensors", "--ann", "model.onnx", "--data"]] {
            let run = try await Program.run(command + ["half.npz"], in: folder.path)
            #expect(run.status == 1 && run.errors.contains("no array 'b'"), "\(run.errors)")
        }
    }
}
