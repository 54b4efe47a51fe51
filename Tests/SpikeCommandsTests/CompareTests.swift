import Foundation
import SpikeData
import Testing

@Suite struct CompareTests {
    @Test func `results and networks stand side by side`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork()
        try await folder.succeeding(
            "convert", Repository.tiny, "--calibration", "data.npz", "--recipe", "radix", "--steps", "6", "--output", "radix.safetensors")
        try await folder.succeeding(
            "evaluate", "snn.safetensors", "--data", "data.npz", "--ann", Repository.tiny, "--steps", "1,8", "--json", "rate.json")
        let run = try await folder.succeeding(
            "compare", "rate.json", "radix.safetensors", "--data", "data.npz", "--ann", Repository.tiny, "--report", "page.html", "--json",
            "all.json")
        for text in ["rate-coding", "radix", "accuracy over steps", "−0.5", "page.html"] { #expect(run.output.contains(text), "\(text)") }
        #expect(run.lines.allSatisfy { $0.count <= 100 })
        #expect(!run.output.contains("different samples"))
        let page = try folder.text("page.html")
        #expect(page.contains("rate-coding") && page.contains("radix") && page.contains("<svg"))
        let object = try #require(JSONSerialization.jsonObject(with: folder.data("all.json")) as? [String: Any])
        #expect((object["results"] as? [Any])?.count == 2 && (object["names"] as? [String])?.count == 2)
        // The radix network was evaluated as `evaluate` does.
        try await folder.succeeding(
            "evaluate", "radix.safetensors", "--data", "data.npz", "--ann", Repository.tiny, "--steps", "6", "--json", "radix.json")
        let radix = try #require(JSONSerialization.jsonObject(with: folder.data("radix.json")) as? [String: Any])
        let compared = try #require((object["results"] as? [[String: Any]])?.last)
        #expect(radix["counts"] as? NSDictionary == compared["counts"] as? NSDictionary)
        #expect(radix["steps"] as? NSArray == compared["steps"] as? NSArray)
    }

    @Test func `other samples are pointed out, and names tell alike networks apart`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork()
        for (limit, name) in [("24", "one.json"), ("10", "two.json")] {
            try await folder.succeeding(
                "evaluate", "snn.safetensors", "--data", "data.npz", "--steps", "4", "--limit", limit, "--json", name)
        }
        let run = try await folder.succeeding("compare", "one.json", "two.json")
        #expect(run.output.contains("different numbers of samples") && run.output.contains("(one)") && run.output.contains("(two)"))
    }

    @Test func `what cannot be compared is said`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork()
        let missing = try await folder.spikelet("compare", "snn.safetensors")
        #expect(missing.status == 1 && missing.errors.contains("--data DATA"))
        try folder.write(Data("{}".utf8), "empty.json")
        let empty = try await folder.spikelet("compare", "empty.json")
        #expect(empty.status == 1 && empty.errors.contains("empty.json") && empty.errors.contains("JSON of an evaluation"))
        let none = try await folder.spikelet("compare", "nowhere.json")
        #expect(none.status == 1 && none.errors.contains("nowhere.json"))
    }
}
