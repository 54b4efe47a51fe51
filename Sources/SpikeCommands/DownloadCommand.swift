import ArgumentParser
import Spikelet

struct DownloadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "download", abstract: "Downloads a file; an interrupted download goes on where it stopped.")

    @Argument(help: "An http or https address.")
    var url: String

    @Argument(help: "Where to put the file.")
    var file: String

    @Option(name: .customLong("sha256"), help: "The file's SHA-256, as 64 hexadecimal digits. Anything else is refused.")
    var sha256: String?

    func run() async throws {
        let size = try await downloadURL(url, to: file, sha256: sha256)
        print("\(file): \(grouped(size)) bytes")
    }
}
