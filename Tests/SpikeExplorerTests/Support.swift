import Foundation
import SpikeConversion
import SpikeData
import SpikeExplorer
import SpikeGraph
import SpikeONNX
import TestSupport
import Testing

/// A small network of three layers for 8×8 images and three classes, converted, with its images.
struct Sample {
    let ann: Graph
    let snn: Graph
    let data: DataLoader

    init(_ recipe: Recipe = .calibrated, steps: Int = 8) throws {
        ann = try ONNXImporter.read(Repository.fixture("Golden/tiny_fused.onnx")).graph
        let images = try NPZ(path: Repository.fixture("Golden/tiny_sj0.0.0.0.14.npz")).array("calib_input")
        data = try DataLoader(Dataset(images))
        snn = try RecipeConverter(recipe.options(steps), calibration: data)(ann)
    }

    func explorer() throws -> Explorer { try Explorer(snn, data: data, ann: ann) }
}

/// A server for one test, stopped at its end.
func withServer(
    _ explorer: Explorer, patience: Duration = .seconds(20), _ body: (ExplorerServer) async throws -> Void
) async throws {
    let server = try await ExplorerServer(explorer, patience: patience)
    do { try await body(server) } catch {
        try? await server.stop()
        throw error
    }
    try await server.stop()
}

extension ExplorerServer {
    /// A request as a browser sends it, changed where a test wants.
    func request(_ path: String, method: String = "GET", host: String? = nil, headers: String = "") -> String {
        "\(method) /\(token)/\(path) HTTP/1.1\r\nHost: \(host ?? "127.0.0.1:\(port)")\r\n\(headers)\r\n"
    }

    func answer(_ request: String) throws -> Answer { try Answer(Loopback.exchange(request, port: port)) }

    func get(_ path: String) throws -> Answer { try answer(request(path)) }
}

/// An answer taken apart.
struct Answer {
    let status: Int
    let headers: [String: String]
    let body: String

    init(_ text: String) throws {
        let halves = text.components(separatedBy: "\r\n\r\n")
        let lines = halves[0].components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ")
        guard words.count >= 2, let status = Int(words[1]) else { throw Loopback.Failure(description: "no answer: '\(text.prefix(80))'") }
        self.status = status
        headers = Dictionary(
            lines.dropFirst().map { line in
                let parts = line.split(separator: ":", maxSplits: 1)
                return (parts[0].lowercased(), parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : "")
            }, uniquingKeysWith: { "\($0), \($1)" })
        body = halves.dropFirst().joined(separator: "\r\n\r\n")
    }

    var json: [String: Any] { (try? JSONSerialization.jsonObject(with: Data(body.utf8))) as? [String: Any] ?? [:] }
}
