import ArgumentParser
import Spikelet

struct DownloadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "download", abstract: "Downloads a file; an interrupted download goes on where it stopped.",
        discussion: """
              spikelet download https://example.org/model.onnx model.onnx --sha256 HEX

            The bytes go to FILE.part, which becomes FILE when all of them are there and right. With --sha256 a file that is \
            there already and right is not fetched again.
            """)

    @Argument(help: "An http or https address.")
    var url: String

    @Argument(help: "Where to put the file.")
    var file: String

    @Option(
        name: .customLong("sha256"),
        help: ArgumentHelp("The file's SHA-256, as 64 hexadecimal digits. Anything else is refused.", valueName: "hex"))
    var sha256: String?

    func run() async throws {
        try checkOutputs([file])
        let size = try await downloadURL(url, to: file, sha256: sha256)
        try show("\(file): \(grouped(size)) bytes")
    }
}
