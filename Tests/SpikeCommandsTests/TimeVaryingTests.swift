import Foundation
import SpikeData
import SpikeEvaluation
import SpikeGraph
import Testing

@Suite("evaluate --time-varying") struct EvaluateTimeVaryingTests {
    private static let (samples, steps) = (24, 6)

    /// ``Folder/makeNetwork(recipe:options:)``, and events drawn from the images with the images' labels: `[T, N, …]` as `events.npz`,
    /// `[N, T, …]` as `turned.npz`, bytes as `bytes.npy`.
    private func makeEvents(in folder: Folder) async throws {
        try await folder.makeNetwork()
        let images = try folder.tensor("images.npy").floats
        let most = images.max() ?? 1
        let labels = try NPZ(path: folder.file("data.npz")).array("labels").tensor()
        var state: UInt64 = 12345
        let events = (0..<Self.steps * images.count).map { index -> Float in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(state >> 40) / Float(1 << 24) * most < images[index % images.count] ? 1 : 0
        }
        let size = images.count / Self.samples
        let turned = (0..<events.count).map { index in
            let (sample, step, place) = (index / size / Self.steps, index / size % Self.steps, index % size)
            return events[(step * Self.samples + sample) * size + place]
        }
        let shape = [Self.steps, Self.samples, 1, 8, 8]
        try NPZ.write([("images", Tensor(events, shape: shape)), ("labels", labels)], to: folder.file("events.npz"))
        try NPZ.write([("x", Tensor(turned, shape: [24, 6, 1, 8, 8])), ("y", labels)], to: folder.file("turned.npz"))
        try NPY.write(Tensor(events, shape: shape), to: folder.file("events.npy"))
        try folder.write(npy("|u1", shape, events.map { UInt8($0) }), "bytes.npy")
    }

    private func evaluate(_ data: String, _ options: String..., in folder: Folder) async throws -> Run {
        try await Program.run(["evaluate", "snn.safetensors", "--data", data, "--time-varying"] + options, in: folder.path)
    }

    private func result(_ data: String, _ options: [String] = [], in folder: Folder) async throws -> EvaluationResult {
        let run = try await Program.run(
            ["evaluate", "snn.safetensors", "--data", data, "--time-varying", "--json", "result.json"] + options, in: folder.path)
        try #require(run.status == 0, "\(run.errors)")
        var result = try EvaluationResult.read(folder.file("result.json"))
        (result.seconds, result.timing) = (0, nil)
        return result
    }

    private func largest(_ output: Tensor) -> [Int] {
        let (values, columns) = (output.floats, output.shape[1])
        return (0..<output.shape[0]).map { row in
            (1..<columns).reduce(0) { values[row * columns + $1] > values[row * columns + $0] ? $1 : $0 }
        }
    }

    @Test func `accuracy is that of simulate's outputs, and the ANN's that on the mean of the frames`() async throws {
        let folder = try Folder()
        try await makeEvents(in: folder)
        let run = try await evaluate("events.npz", "--ann", Repository.tiny, "--report", "page.html", "--layers", in: folder)
        #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
        #expect(run.output.contains("each step has its own input; the ANN saw the mean of the 6 frames"))
        #expect(run.output.contains("accumulates, 0 multiply–accumulates on the input, in all steps"))
        #expect(run.lines.allSatisfy { $0.count <= 100 })
        let page = try folder.text("page.html")
        #expect(
            page.contains("Each step has its own input; the ANN saw the mean of the 6 frames.") && page.contains("the mean of its frames"))

        let labels = try NPZ(path: folder.file("data.npz")).array("labels").integers().map { Int($0) }
        let found = try await result("events.npz", ["--ann", Repository.tiny], in: folder)
        #expect(found.steps.map(\.steps) == [1, 2, 4, 6] && found.frames == 6 && found.samples == 24)
        try await folder.succeeding(
            "simulate", "snn.safetensors", "--input", "events.npy", "--time-varying", "--steps", "6", "--output", "y.npy", "--per-step")
        let outputs = try folder.tensor("y.npy")
        let predictions = (0..<6).map { largest(outputs.samples($0..<$0 + 1).reshaped(to: [24, 3])) }
        #expect(found.curve?.accuracy == predictions.map { step in Double(zip(step, labels).count { $0 == $1 }) / 24 })
        let events = try folder.tensor("events.npy").floats
        let size = events.count / 6
        let means = (0..<size).map { place in (0..<6).reduce(Float(0)) { $0 + events[$1 * size + place] } / 6 }
        try NPY.write(Tensor(means, shape: [24, 1, 8, 8]), to: folder.file("mean.npy"))
        try await folder.succeeding("run", Repository.tiny, "--input", "mean.npy", "--output", "ann.npy")
        let ann = largest(try folder.tensor("ann.npy"))
        #expect(found.ann?.accuracy == Double(zip(ann, labels).count { $0 == $1 }) / 24)
        #expect(found.steps.last?.agreement == Double(zip(ann, predictions[5]).count { $0 == $1 }) / 24)
        #expect(found.steps.allSatisfy { $0.synapticOperations > 0 && $0.spikesPerNeuron > 0 } && found.energies?.isEmpty == false)

        // However the axes are ordered, samples cut into batches, or work is shared.
        for (data, options) in [
            ("turned.npz", []), ("events.npz", ["--batch-size", "5", "--threads", "1"]),
            ("events.npz", ["--batch-size", "1", "--threads", "4"]),
        ] as [(String, [String])] {
            let other = try await result(data, ["--ann", Repository.tiny] + options, in: folder)
            #expect(other == found, "\(data) \(options)")
        }
        let small = try await evaluate("events.npz", "--precision", "int8", "--outputs", "--ann", Repository.tiny, in: folder)
        #expect(small.status == 0 && small.output.contains("the ANN saw the mean of the 6 frames"), "\(small.errors)")
    }

    @Test func `the first so many steps are taken, and what is unusual is said`() async throws {
        let folder = try Folder()
        try await makeEvents(in: folder)
        let fewer = try await evaluate("events.npz", "--steps", "2,4", "--ann", Repository.tiny, in: folder)
        #expect(fewer.status == 0 && fewer.output.contains("the ANN saw the mean of the 4 frames"))
        #expect(fewer.errors == "note: the data have 6 time steps; the first 4 are evaluated\n")
        let bytes = try await evaluate("bytes.npy", "--ann", Repository.tiny, in: folder)
        #expect(bytes.status == 0)
        #expect(bytes.errors == "note: bytes.npy: the bytes of a time-varying input are taken as they are, not divided by 255\n")
        let events = try folder.tensor("events.npy")
        try NPZ.write(
            [
                ("images", Tensor(Array(events.floats.prefix(6 * 6 * 64)), shape: [6, 6, 1, 8, 8])),
                ("labels", Tensor([Int64](repeating: 0, count: 6), shape: [6])),
            ], to: folder.file("square.npz"))
        let square = try await evaluate("square.npz", in: folder)
        #expect(square.status == 0)
        #expect(
            square.errors
                == "note: square.npz: time steps and samples are both 6: the inputs [6, 6, 1, 8, 8] are taken as [T, N, …]\n")
    }

    @Test func `what does not fit is refused, and the way out named`() async throws {
        let folder = try Folder()
        try await makeEvents(in: folder)
        let more = try await evaluate("events.npz", "--steps", "3,7", in: folder)
        #expect(more.status == 1 && more.errors.contains("events.npz: --steps 7 of data with 6 time steps"), "\(more.errors)")
        try NPZ.write(
            [("images", try folder.tensor("events.npy")), ("labels", Tensor([Int64](repeating: 0, count: 5), shape: [5]))],
            to: folder.file("wrong.npz"))
        let labels = try await evaluate("wrong.npz", in: folder)
        #expect(labels.status == 1 && labels.errors.contains("neither 6 nor 24 samples"), "\(labels.errors)")
        let still = try await evaluate("data.npz", in: folder)
        #expect(still.status == 1 && still.errors.contains("leave out --time-varying"), "\(still.errors)")
        let mean = try await evaluate("events.npz", "--mean", "0.5", "--std", "1", in: folder)
        #expect(mean.status == 1 && mean.errors.contains("taken as they are"), "\(mean.errors)")
        // Without the option, both layouts say that there is one.
        for data in ["events.npz", "turned.npz"] {
            let run = try await folder.spikelet("evaluate", "snn.safetensors", "--data", data)
            #expect(run.status == 1 && run.errors.contains("--time-varying"), "\(run.errors)")
        }
        try await folder.succeeding(
            "convert", Repository.tiny, "--calibration", "data.npz", "--recipe", "radix", "--steps", "4", "--output", "snn.safetensors")
        let radix = try await evaluate("events.npz", in: folder)
        #expect(radix.status == 1 && radix.errors.contains("time-varying input under the layer-synchronous schedule"), "\(radix.errors)")
    }

    @Test func `compare takes them too, and says where others saw still inputs`() async throws {
        let folder = try Folder()
        try await makeEvents(in: folder)
        let one = try await result("events.npz", ["--ann", Repository.tiny], in: folder)
        try await folder.succeeding(
            "compare", "snn.safetensors", "--data", "events.npz", "--time-varying", "--ann", Repository.tiny, "--json", "all.json")
        let all = try JSONDecoder().decode(Comparison.self, from: folder.data("all.json"))
        #expect(all.results.map(\.steps) == [one.steps] && all.results.map(\.counts) == [one.counts] && all.results[0].frames == 6)
        try await folder.succeeding("evaluate", "snn.safetensors", "--data", "data.npz", "--steps", "6", "--json", "still.json")
        let mixed = try await folder.succeeding("compare", "result.json", "still.json")
        #expect(mixed.output.contains("some had an input of their own in each step, others the same in all"))
        let none = try await folder.spikelet("compare", "result.json", "--time-varying")
        #expect(none.status == 64 && none.errors.contains("--data DATA"))
    }
}
