import Foundation
import Testing

@Suite struct DemoTests {
    @Test func `it tells the whole story of a bundled network`() async throws {
        let models = URL(fileURLWithPath: Repository.model("")).path
        let folder = try Folder()
        let run = try await folder.succeeding("demo", "--network", "cnn", "--limit", "40", "--models", models)
        let html = try String(contentsOfFile: folder.path + "/demo.html", encoding: .utf8)
        #expect(html.contains("<svg") && html.contains("cnn_torchscript"))
        for part in ["1. An ANN", "2. Converted", "3. Measured on 40 test images", "ANN accuracy", "SynOps", "energy"] {
            #expect(run.output.contains(part), "\(part)")
        }
        // A row for each number of steps, the last near the ANN.
        let last = try #require(run.lines.last { $0.hasPrefix("   32") })
        let accuracy = try #require(Double(last.split(separator: " ")[1]))
        #expect(accuracy > 80)
        #expect(run.lines.allSatisfy { $0.count <= 100 })
    }

    @Test func `without the bundled files it says what to do`() async throws {
        let folder = try Folder()
        let run = try await folder.spikelet("demo", "--models", "nowhere")
        #expect(run.status == 1 && run.errors.contains("does not exist"), "\(run.errors)")
        #expect(try await folder.spikelet("demo", "--network", "alexnet").status == 64)
        #expect(try await folder.spikelet("demo", "--limit", "0", "--models", Repository.model("")).status == 1)
    }
}
