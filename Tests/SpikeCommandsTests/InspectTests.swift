import SpikeData
import Testing

@Suite struct InspectTests {
    @Test func `of a model it shows layers, origin and what becomes spiking`() async throws {
        let run = try await Folder().succeeding("inspect", Repository.model("mobile/mobile_dynamo.onnx"))
        for part in [
            "conv1", "Clip", "ReduceMean", "[N, 10]", "opset", "multiply–accumulates", "ReLUs become neurons",
            "can be converted", "before the spikes", "neurons, θ ≤ 6", "synapses",
        ] {
            #expect(run.output.contains(part), "\(part)")
        }
    }

    @Test(arguments: ["cnn/cnn_dynamo.onnx", "vgg/vgg_unfused.onnx", "resnet/resnet_torchscript.onnx", "mobile/mobile_dynamo.onnx"])
    func `tables are at most 100 columns wide`(model: String) async throws {
        let run = try await Folder().succeeding("inspect", Repository.model(model))
        let table = run.lines.prefix { !$0.isEmpty }
        #expect(table.count > 10)
        #expect(table.allSatisfy { $0.count <= 100 })
    }

    @Test func `of a spiking network it shows neurons and how it was made, whatever its file is called`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork(options: ["--mode", "99.9%", "--steps", "12"])
        let run = try await folder.succeeding("inspect", "snn.safetensors")
        for part in [
            "spiking network", "rate-coding", "streaming", "IFNode", "threshold 1.0", "mode: 99.9%", "12 steps", "calibrationSamples: 24",
        ] {
            #expect(run.output.contains(part), "\(part)")
        }
        try folder.write(folder.data("snn.safetensors"), "network.bin")
        #expect(try await folder.succeeding("inspect", "network.bin").output == run.output)
    }

    @Test func `the engine's program shows stages, what is left to the reference path, and the memory plan`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork(options: ["--steps", "12"])
        let run = try await folder.succeeding("inspect", "snn.safetensors", "--program")
        for part in [
            "float32, streaming", "snn tailor.0.1: integrate-and-fire", "← gather", "accumulated output", "everything is fused",
            "memory of one sample at 12 steps: peak ", "most is in use at ",
        ] {
            #expect(run.output.contains(part), "\(part)")
        }
        let small = try await folder.succeeding("inspect", "snn.safetensors", "--program", "--precision", "int8")
        #expect(small.output.contains("int8, streaming") && small.output.contains("int8 (membranes in 1/"))
    }

    @Test func `a network of other activations is shown as radix takes it, and refused elsewhere with every reason`() async throws {
        let folder = try Folder()
        try folder.write(Models.chain(["Gemm", "Relu", "Sigmoid", "Gemm", "Relu", "Sigmoid", "Gemm"]), "model.onnx")
        let run = try await folder.succeeding("inspect", "model.onnx")
        for part in ["can be converted with the recipe radix", "inside neurons: Relu ×2, Sigmoid ×2"] {
            #expect(run.output.contains(part), "\(part)")
        }
        let refused = try await Program.run(
            ["convert", "model.onnx", "--recipe", "calibrated", "--calibration", "none", "--output", "snn.safetensors"], in: folder.path)
        for part in [
            "1 × Sigmoid", "sigmoid2", "sigmoid5", "the weights of 'gemm6' read it", "--allow-analog", "use the recipe radix",
        ] {
            #expect(refused.errors.contains(part), "\(part)")
        }
    }
}
