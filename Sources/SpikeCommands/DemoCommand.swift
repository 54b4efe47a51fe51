import ArgumentParser
import Foundation
import Spikelet

struct DemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "The whole story on a network and images that come with Spikelet.",
        discussion: """
            Converts a network trained on Fashion-MNIST, measures it on 1,000 test images over more and more time steps, and writes \
            the page demo.html.

              spikelet demo
              spikelet demo --network resnet --limit 200
            """)

    /// The networks in `Models/FashionMNIST`.
    enum Network: String, ExpressibleByArgument, CaseIterable {
        case cnn, vgg, resnet, mobile
    }

    @Option(help: "The bundled network.")
    var network = Network.vgg

    @Option(
        help: ArgumentHelp("The folder with the bundled networks and images. Default: looked for around the program.", valueName: "folder"))
    var models: String?

    @Option(parsing: .unconditional, help: ArgumentHelp("Measure on the first so many test images only.", valueName: "n"))
    var limit = 1000

    @Option(help: ArgumentHelp("Where to write the page.", valueName: "file.html"))
    var report = "demo.html"

    func run() throws {
        try checkOutputs([report], inputs: [])
        let folder = try models.map { URL(fileURLWithPath: $0) } ?? Self.bundledModels()
        let path = folder.appendingPathComponent("\(network.rawValue)/\(network.rawValue)_torchscript.onnx").path
        try show(block: "1. An ANN: \(network.rawValue), trained on Fashion-MNIST with PyTorch, exported as ONNX.\n")
        let ann = try ONNXImporter.read(path).graph
        try show(block: ann)
        try show(block: "2. Converted by the recipe calibrated: binary spikes, thresholds from 512 images, for 32 steps.\n")
        let test = try DataLoader(Dataset(path: folder.appendingPathComponent("test_1000.npz").path), limit: limit)
        let calibration = try DataLoader(Dataset(path: folder.appendingPathComponent("train_2000.npz").path), limit: 512)
        let snn = try RecipeConverter(Recipe.calibrated.options(32), calibration: calibration)(ann)
        try show(block: snn)
        try show(block: "3. Measured on \(grouped(test.count)) test images.\n")
        let evaluator = try Evaluator(
            snn, ann: ann, steps: [1, 2, 4, 8, 16, 32], details: [.errors, .activity], threads: ProcessInfo.processInfo.activeProcessorCount
        )
        let result = try evaluator.run(test)
        try show(block: result, terminator: "")
        try show(block: "\n4. The same as a page to look at: \(report)")
        try Report([result]).write(to: report)
    }

    /// `Models/FashionMNIST`, from the current folder or the program's own upward.
    private static func bundledModels() throws -> URL {
        let program = Bundle.main.executableURL?.resolvingSymlinksInPath().deletingLastPathComponent()
        for start in [URL(fileURLWithPath: FileManager.default.currentDirectoryPath), program].compactMap({ $0 }) {
            var folder = start.standardizedFileURL
            while true {
                let candidate = folder.appendingPathComponent("Models/FashionMNIST")
                if FileManager.default.fileExists(atPath: candidate.path) { return candidate }
                if folder.path == "/" { break }
                folder.deleteLastPathComponent()
            }
        }
        throw SpikeletError(
            .fileSystem, "the folder Models/FashionMNIST of Spikelet's repository is not found",
            remedy: "run the demo inside the repository, or pass --models FOLDER")
    }
}
