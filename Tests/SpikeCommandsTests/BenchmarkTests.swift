import Foundation
import SpikeData
import SpikeGraph
import SpikeRuntime
import Testing

@Suite struct BenchmarkTests {
    private func object(_ text: String) throws -> [String: Any] {
        try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    @Test func `its JSON has the keys and types that it promises`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork()
        let run = try await folder.succeeding(
            "benchmark", "snn.safetensors", "--input", "images.npy", "--steps", "6", "--batch-size", "4", "--threads", "2", "--precision",
            "int8", "--json", "-")
        let result = try object(run.output)
        #expect(result["steps"] as? Int == 6 && result["batchSize"] as? Int == 4 && result["threads"] as? Int == 2)
        #expect(result["precision"] as? String == "int8")
        #expect(try #require(result["runs"] as? Int) >= 9)
        #expect(try #require(result["secondsPerSample"] as? Double) > 0)
        // The weights alone of its three layers are more than that.
        #expect(try #require(result["peakBytes"] as? Int) > 500)
        #expect(try #require(result["density"] as? Double) > 0)
        #expect(try #require(result["spikesPerNeuron"] as? Double) > 0)
    }

    @Test func `the text says what was measured`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork(recipe: "radix", options: ["--steps", "3"])
        let run = try await folder.succeeding("benchmark", "snn.safetensors", "--input", "images.npy", "--json", "result.json")
        for part in ["(radix), float32: 3 steps, batches of 1, 1 thread\n", " ms a sample (median of ", "density ", "peak "] {
            #expect(run.output.contains(part), "\(part)")
        }
        #expect(try object(folder.text("result.json"))["batchSize"] as? Int == 1)
    }

    @Test func `too few samples are used again, and it says so`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork()
        try NPY.write(manyImages(3), to: folder.file("x.npy"))
        let run = try await folder.spikelet("benchmark", "snn.safetensors", "--input", "x.npy", "--steps", "2", "--batch-size", "7")
        #expect(run.status == 0 && run.output.contains("batches of 7"))
        #expect(run.errors == "note: 3 samples for batches of 7: they are used again\n")
    }
}

@Suite struct KernelsTests {
    @Test func `every kernel is listed with the one that runs`() async throws {
        let run = try await Folder().succeeding("kernels")
        let kernels = KernelList().rows.map(\.name)
        for part in kernels + ["scalar", "chosen", "SPIKELET_ISA"] {
            #expect(run.output.contains(part), "\(part)")
        }
        // One kernel of each name is chosen.
        let rows = run.lines.drop { !$0.hasPrefix("kernel  ") }.dropFirst(2).filter { !$0.isEmpty }
        #expect(rows.count == kernels.count && rows.count > 15)
        #expect(rows.allSatisfy { $0.components(separatedBy: "chosen").count == 2 })
    }
}
