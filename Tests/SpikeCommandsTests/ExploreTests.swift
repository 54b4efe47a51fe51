import Foundation
import SpikeData
import SpikeGraph
import TestSupport
import Testing

/// `spikelet explore`, as a person starts it.
final class ExplorerProcess {
    let process = Process()
    let url: String
    let port: Int
    private let ended = DispatchSemaphore(value: 0)

    init(_ arguments: String..., in folder: Folder) throws {
        let output = Pipe()
        process.executableURL = Program.url
        process.arguments = ["explore"] + arguments
        process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = try folder.create("explore-errors")
        let ended = ended
        process.terminationHandler = { _ in ended.signal() }
        try process.run()
        // One line comes at once; nothing more until the end.
        var line = Data()
        while line.last != UInt8(ascii: "\n") {
            let more = output.fileHandleForReading.availableData
            if more.isEmpty { break }
            line += more
        }
        url = String(decoding: line, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        port = URL(string: url)?.port ?? 0
        guard port > 0 else {
            throw Browser.Failure(description: "no address: \(url) \((try? folder.text("explore-errors")) ?? "")")
        }
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    /// Ctrl-C.
    ///
    /// - Returns: the exit status, and whether it ended by itself.
    func interrupt(_ signal: Int32 = SIGINT) throws -> (status: Int32, byItself: Bool) {
        kill(process.processIdentifier, signal)
        guard ended.wait(timeout: .now() + 30) == .success else { throw Browser.Failure(description: "it does not end") }
        ended.signal()
        return (process.terminationStatus, process.terminationReason == .exit)
    }

    func get(_ path: String) throws -> String {
        let target = (URL(string: url)?.path ?? "") + "/" + path
        return try Loopback.exchange("GET \(target) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\n\r\n", port: port)
    }
}

@Suite struct ExploreTests {
    @Test(arguments: [SIGINT, SIGTERM]) func `it serves until a signal, then ends in order and frees its port`(signal: Int32) async throws {
        let folder = try Folder()
        try await folder.makeNetwork()
        let server = try ExplorerProcess("snn.safetensors", "--data", "data.npz", "--steps", "4", in: folder)
        #expect(server.url.hasPrefix("http://127.0.0.1:\(server.port)/"))
        #expect(try folder.text("explore-errors").contains("Ctrl-C"))
        #expect(try server.get("run?sample=0").hasPrefix("HTTP/1.1 200 "))
        #expect(try server.get("run?sample=0").contains("\"steps\":4"))
        // One who has connected and says nothing does not hold it up.
        let silent = try Loopback(port: server.port)
        let (status, byItself) = try server.interrupt(signal)
        #expect(status == 0 && byItself)
        #expect(silent.receive().isEmpty)
        #expect(throws: Loopback.Failure.self) { _ = try Loopback(port: server.port) }
        // The port it had can be asked for.
        let again = try ExplorerProcess("snn.safetensors", "--data", "data.npz", "--port", "\(server.port)", in: folder)
        #expect(again.port == server.port && again.url != server.url)
        _ = try again.interrupt()
    }

    @Test func `samples of several inputs are looked at by the inputs' names`() async throws {
        let folder = try Folder()
        try folder.write(Models.twoInputs(), "model.onnx")
        func rows(_ factor: Int) -> Tensor { Tensor((0..<120).map { Float($0 * factor % 31) / 16 - 1 }, shape: [30, 4]) }
        let labels = Tensor((0..<30).map { Int64($0 % 4) }, shape: [30])
        try NPZ.write([("b", rows(11)), ("labels", labels), ("a", rows(7))], to: folder.file("x.npz"))
        try await folder.succeeding(
            "convert", "model.onnx", "--calibration", "x.npz", "--recipe", "calibrated", "--output", "snn.safetensors")
        let server = try ExplorerProcess(
            "snn.safetensors", "--data", "x.npz", "--ann", "model.onnx", "--steps", "4", in: folder)
        let run = try server.get("run?sample=3")
        #expect(run.hasPrefix("HTTP/1.1 200 ") && run.contains("\"label\":3") && run.contains("\"annPrediction\""))
        let pictures = try server.get("pictures?from=0&count=2")
        #expect(pictures.hasPrefix("HTTP/1.1 200 ") && pictures.contains("\"width\":4"))
        _ = try server.interrupt()
        try NPZ.write([("a", rows(7))], to: folder.file("half.npz"))
        let half = try await folder.spikelet("explore", "snn.safetensors", "--data", "half.npz")
        #expect(half.status == 1 && half.errors.contains("no array 'b'") && half.output.isEmpty, "\(half.errors)")
    }

    @Test func `what it cannot show it says before it serves`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork()
        for (arguments, part) in [
            (["explore", "snn.safetensors", "--data", "none.npz"], "none.npz"),
            (["explore", "snn.safetensors", "--data", "data.npz", "--steps", "1000"], "1 to 256"),
            (["explore", Repository.tiny, "--data", "data.npz"], "convert it first"),
            (["explore", "snn.safetensors", "--data", "data.npz", "--port", "99999"], "no port"),
        ] {
            let run = try await Program.run(arguments, in: folder.path)
            #expect(run.status == 1 && run.errors.contains(part) && run.output.isEmpty, "\(run.errors)")
        }
    }
}
