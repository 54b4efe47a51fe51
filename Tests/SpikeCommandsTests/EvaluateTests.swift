import Foundation
import SpikeData
import SpikeGraph
import Testing

@Suite struct EvaluateTests {
    private func object(_ text: String) throws -> [String: Any] {
        try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    /// Whether a value is a number between two bounds.
    private func isNumber(_ value: Any?, in range: ClosedRange<Double> = 0...Double.infinity) -> Bool {
        (value as? NSNumber).map { range.contains($0.doubleValue) } ?? false
    }

    /// Checks the keys and types that other programs rely on.
    private func check(_ result: [String: Any], steps: [Int], at location: SourceLocation = #_sourceLocation) throws {
        var keys: Set<String> = [
            "network", "recipe", "samples", "countedSamples", "ann", "steps", "layers", "confusion", "annConfusion", "counts", "energies",
            "stepsToANN", "precision", "seconds", "timing", "settings", "warnings",
        ]
        if steps.count > 1 { keys.insert("curve") }
        #expect(Set(result.keys) == keys, sourceLocation: location)
        #expect(result["samples"] as? Int == 24, sourceLocation: location)
        #expect(result["precision"] as? String == "float32", sourceLocation: location)
        #expect(isNumber(result["seconds"]), sourceLocation: location)
        let ann = try #require(result["ann"] as? [String: Any])
        #expect(Set(ann.keys) == ["accuracy"] && isNumber(ann["accuracy"], in: 1...1), sourceLocation: location)
        let rows = try #require(result["steps"] as? [[String: Any]])
        #expect(rows.map { $0["steps"] as? Int } == steps, sourceLocation: location)
        for row in rows {
            #expect(
                Set(row.keys) == [
                    "steps", "accuracy", "agreement", "confidence95", "spikesPerNeuron", "synapticOperations", "energy",
                ], sourceLocation: location)
            #expect(isNumber(row["accuracy"], in: 0...1) && isNumber(row["agreement"], in: 0...1), sourceLocation: location)
            #expect(isNumber(row["spikesPerNeuron"]) && isNumber(row["synapticOperations"]), sourceLocation: location)
            let interval = try #require(row["confidence95"] as? [Double])
            #expect(interval.count == 2 && interval[0] <= interval[1] && interval[0] >= 0 && interval[1] <= 1, sourceLocation: location)
            let energy = try #require(row["energy"] as? [String: Any])
            #expect(Set(energy.keys) == ["ann", "snn", "model"], sourceLocation: location)
            #expect(isNumber(energy["ann"]) && isNumber(energy["snn"]) && energy["model"] is String, sourceLocation: location)
        }
        let layers = try #require(result["layers"] as? [[String: Any]])
        #expect(layers.count == 3, sourceLocation: location)
        for layer in layers {
            #expect(Set(layer.keys) == ["name", "label", "neurons", "threshold", "spikesPerNeuron"], sourceLocation: location)
            #expect(
                layer["neurons"] is Int && layer["name"] is String && (layer["threshold"] as? [Double])?.count == 2,
                sourceLocation: location)
        }
    }

    @Test func `with --outputs values are compared, of networks that are no classifiers too`() async throws {
        let folder = try Folder()
        try folder.write(Models.chain(["Gemm", "Relu", "Gemm"], features: 1), "model.onnx")
        let values = (0..<40).map { Float($0) / 8 - 2.5 }
        try NPY.write(Tensor(values, shape: [40, 1]), to: folder.file("x.npy"))
        try await folder.succeeding(
            "convert", "model.onnx", "--calibration", "x.npy", "--recipe", "radix", "--steps", "6", "--output", "snn.safetensors")
        let evaluate = ["evaluate", "snn.safetensors", "--data", "x.npy"]
        let run = try await Program.run(evaluate + ["--ann", "model.onnx", "--outputs", "--layers", "--steps", "6"], in: folder.path)
        #expect(run.status == 0, "\(run.errors)")
        for part in ["of what varies", "y", "40 samples", "inherited"] { #expect(run.output.contains(part), "\(part)") }
        let json = try await Program.run(evaluate + ["--ann", "model.onnx", "--outputs", "--json", "-"], in: folder.path)
        let result = try object(json.output)
        #expect(Set(result.keys) == ["network", "recipe", "samples", "steps", "precision", "seconds", "warnings"])
        let row = try #require((result["steps"] as? [[String: Any]])?.first)
        let output = try #require((row["outputs"] as? [[String: Any]])?.first)
        #expect(row["steps"] as? Int == 6 && output["name"] as? String == "y")
        #expect(isNumber(output["error"], in: 0...0.02) && isNumber(output["errorOfVariation"], in: 0...0.02))
        let wrong = try await Program.run(evaluate + ["--outputs"], in: folder.path)
        #expect(wrong.status == 64 && wrong.errors.contains("--ann"))
    }

    @Test func `its JSON has the keys and types that it promises`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork()
        let arguments = ["evaluate", "snn.safetensors", "--data", "data.npz", "--ann", Repository.tiny, "--steps", "1,4,32"]
        let shown = try await Program.run(arguments + ["--json", "-"], in: folder.path)
        #expect(shown.status == 0 && shown.errors.isEmpty)
        try check(object(shown.output), steps: [1, 4, 32])
        #expect(shown.output.hasSuffix("}\n"))
        // To a file; standard output then has the table.
        let written = try await Program.run(arguments + ["--json", "result.json"], in: folder.path)
        #expect(written.status == 0 && written.errors.isEmpty)
        try check(object(folder.text("result.json")), steps: [1, 4, 32])
        #expect(written.output.contains("agreement") && written.output.contains("24 samples, ANN accuracy 100.00 %"))
        #expect(written.lines.allSatisfy { $0.count <= 100 })
        // The labels are the ANN's own answers, so that accuracy and agreement are the same.
        let rows = try #require(object(folder.text("result.json"))["steps"] as? [[String: Any]])
        for row in rows { #expect(row["accuracy"] as? Double == row["agreement"] as? Double) }
    }

    @Test func `what was not measured is left out of the JSON`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork()
        let alone = try await folder.succeeding("evaluate", "snn.safetensors", "--data", "data.npz", "--steps", "2", "--json", "-")
        var result = try object(alone.output)
        #expect(result["ann"] == nil)
        #expect((result["steps"] as? [[String: Any]])?[0]["agreement"] == nil)
        let unlabelled = try await folder.succeeding(
            "evaluate", "snn.safetensors", "--data", "images.npy", "--ann", Repository.tiny, "--steps", "2", "--json", "-")
        result = try object(unlabelled.output)
        #expect((result["ann"] as? [String: Any])?.isEmpty == true)
        #expect((result["steps"] as? [[String: Any]])?[0]["accuracy"] == nil)
        #expect(isNumber((result["steps"] as? [[String: Any]])?[0]["agreement"], in: 0...1))
    }

    @Test func `a radix code reports its own steps, and says so`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork(recipe: "radix", options: ["--steps", "5"])
        let run = try await folder.spikelet("evaluate", "snn.safetensors", "--data", "data.npz", "--ann", Repository.tiny, "--json", "-")
        #expect(run.status == 0)
        #expect(run.errors.hasPrefix("note: a radix code") && run.errors.contains("5 steps"))
        try check(object(run.output), steps: [5])
    }

    @Test func `early exits report their steps and accuracy beside those of all steps`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork()
        func exit(_ options: String...) async throws -> [String: Any] {
            let run = try await Program.run(
                ["evaluate", "snn.safetensors", "--data", "data.npz", "--steps", "4,32", "--json", "-"] + options, in: folder.path)
            try #require(run.status == 0, "\(run.errors)")
            return try #require(object(run.output)["earlyExit"] as? [String: Any])
        }
        // Nobody is that sure of three classes; anybody is sure to a third.
        let never = try await exit("--exit-confidence", "1")
        #expect(never["averageSteps"] as? Double == 32 && never["samples"] as? Int == 24)
        #expect(never["accuracy"] as? Double == never["accuracyOfAllSteps"] as? Double)
        let always = try await exit("--exit-confidence", "0.3")
        #expect(always["averageSteps"] as? Double == 1)
        #expect(Set(always.keys) == ["confidence", "averageSteps", "accuracy", "steps", "accuracyOfAllSteps", "samples"])
        // More samples than one half of 24 needs to have.
        let chosen = try await exit("--exit-loss", "100e-1")
        #expect(isNumber(chosen["averageSteps"], in: 1...32) && isNumber(chosen["confidence"], in: 0.3...1))
        let (measured, others) = (try #require(chosen["samples"] as? Int), try #require(chosen["choosingSamples"] as? Int))
        #expect(measured + others == 24)
        #expect(isNumber(chosen["choosingLoss"], in: -1...0.1) && isNumber(chosen["allowedLoss"], in: 0.0999...0.1001))
        let text = try await folder.succeeding(
            "evaluate", "snn.safetensors", "--data", "data.npz", "--steps", "32", "--exit-confidence", "0.5")
        #expect(text.output.contains("stopping at a confidence of 0.5: ") && text.output.contains("after all 32)"))
    }

    @Test func `an early exit needs a streaming schedule`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork(recipe: "radix", options: ["--steps", "4"])
        let run = try await folder.spikelet("evaluate", "snn.safetensors", "--data", "data.npz", "--exit-confidence", "0.9")
        #expect(run.status == 1 && run.errors.contains("layer by layer") && run.errors.contains("streaming recipe"))
    }

    @Test func `threads, batches and limits do what they say`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork()
        func rows(_ options: String...) async throws -> String {
            let run = try await Program.run(
                ["evaluate", "snn.safetensors", "--data", "data.npz", "--steps", "1,8", "--json", "-"] + options, in: folder.path)
            try #require(run.status == 0, "\(run.errors)")
            return run.lines.filter { line in !["\"seconds", "\"samplesPerSecond", "\"runs\""].contains { line.contains($0) } }
                .joined(separator: "\n")
        }
        let usual = try await rows()
        #expect(try await rows("--threads", "3", "--batch-size", "5") == usual)
        #expect(try await rows("--threads", "1", "--batch-size", "1") == usual)
        let limited = try await rows("--limit", "10")
        #expect(limited != usual && limited.contains("\"samples\" : 10"))
    }
}
