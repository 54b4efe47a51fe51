import Foundation
import SpikeData
import SpikeGraph
import Testing

/// What a run of the program left behind.
struct Run: Sendable {
    var status: Int32
    var output: String
    var errors: String

    /// The lines of standard output.
    var lines: [String] { output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) }
}

/// The program itself, as it was built beside these tests: exit codes and streams are tested as a caller sees them.
enum Program {
    static let url: URL = {
        // On Linux the tests are a program in the folder of products; on macOS they are a bundle in it.
        let bundle = Bundle.allBundles.map(\.bundleURL).first { $0.pathExtension == "xctest" }
        let folder = bundle?.deletingLastPathComponent() ?? Bundle.main.bundleURL
        return folder.appendingPathComponent("spikelet")
    }()

    /// Runs the program to its end.
    ///
    /// - Parameters:
    ///   - program: another one, that runs it.
    ///   - given: where standard output goes; collected into the result without it.
    ///   - terminal: the same for standard error.
    static func run(
        _ arguments: [String], in folder: String, program: URL = url, output given: FileHandle? = nil, errors terminal: FileHandle? = nil
    ) async throws -> Run {
        // Files, not pipes: nobody has to read while it runs.
        let capture = try Folder()
        let (output, errors) = (try capture.create("output"), try capture.create("errors"))
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = given ?? output
        process.standardError = terminal ?? errors
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            process.terminationHandler = { _ in continuation.resume() }
            do { try process.run() } catch { continuation.resume(throwing: error) }
        }
        return Run(status: process.terminationStatus, output: try capture.text("output"), errors: try capture.text("errors"))
    }
}

/// A folder for one test, removed with it.
final class Folder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "spikelet-commands-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    var contents: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }

    func write(_ data: Data, _ name: String) throws { try data.write(to: URL(fileURLWithPath: file(name))) }

    func data(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: file(name))) }

    func text(_ name: String) throws -> String { String(decoding: try data(name), as: UTF8.self) }

    func create(_ name: String) throws -> FileHandle {
        try write(Data(), name)
        return try FileHandle(forWritingTo: URL(fileURLWithPath: file(name)))
    }

    /// Runs `spikelet` here.
    func spikelet(_ arguments: String...) async throws -> Run { try await Program.run(arguments, in: path) }

    /// Runs `spikelet` here, and expects that it succeeds and has nothing to say on standard error.
    @discardableResult
    func succeeding(_ arguments: String..., at location: SourceLocation = #_sourceLocation) async throws -> Run {
        let run = try await Program.run(arguments, in: path)
        try #require(run.status == 0, "\(run.errors)", sourceLocation: location)
        #expect(run.errors.isEmpty, "\(run.errors)", sourceLocation: location)
        return run
    }

    /// The array in an `.npy` file here.
    func array(_ name: String) throws -> NumericArray { try NPY.read(file(name)) }

    /// The same as a float32 tensor.
    func tensor(_ name: String) throws -> Tensor {
        let array = try array(name)
        return Tensor(array.floats(), shape: array.shape)
    }
}

/// Files of the repository.
enum Repository {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static func model(_ name: String) -> String { root.appendingPathComponent("Models/FashionMNIST/\(name)").path }
    static func fixture(_ name: String) -> String { root.appendingPathComponent("Tests/Fixtures/\(name)").path }

    /// A network of three layers of neurons for 8×8 images and three classes: fast.
    static let tiny = fixture("Golden/tiny_fused.onnx")

    /// An array of the golden numbers of ``tiny``.
    static func golden(_ name: String) throws -> Tensor {
        let array = try NPZ(path: fixture("Golden/tiny_sj0.0.0.0.14.npz")).array(name)
        return Tensor(array.floats(), shape: array.shape)
    }
}

extension Folder {
    /// Calibration data of ``Repository/tiny`` as `data.npz`, with labels that the network itself gives.
    func makeData() async throws {
        let images = try Repository.golden("calib_input")
        try NPY.write(images, to: file("images.npy"))
        try await succeeding("run", Repository.tiny, "--input", "images.npy", "--output", "logits.npy")
        let logits = try tensor("logits.npy").floats
        let labels = stride(from: 0, to: logits.count, by: 3).map { start in
            Int64((1..<3).reduce(0) { logits[start + $1] > logits[start + $0] ? $1 : $0 })
        }
        try NPZ.write([("images", images), ("labels", Tensor(labels, shape: [labels.count]))], to: file("data.npz"))
        try NPZ.write([("images", images)], to: file("unlabelled.npz"))
    }

    /// ``makeData()``, and ``Repository/tiny`` converted to `snn.safetensors`.
    func makeNetwork(recipe: String = "rate-coding", options: [String] = []) async throws {
        try await makeData()
        let run = try await Program.run(
            ["convert", Repository.tiny, "--calibration", "data.npz", "--recipe", recipe, "--output", "snn.safetensors"] + options, in: path
        )
        try #require(run.status == 0, "\(run.errors)")
    }
}

/// Many samples for ``Repository/tiny``.
func manyImages(_ count: Int) -> Tensor {
    Tensor((0..<count * 64).map { Float($0 * 7919 % 1013) / 1013 }, shape: [count, 1, 8, 8])
}

/// An `.npy` file of any element type.
func npy(_ type: String, _ shape: [Int], _ bytes: [UInt8]) -> Data {
    let sizes = shape.map { "\($0), " }.joined()
    var header = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(sizes)), }"
    header += String(repeating: " ", count: 63 - (header.utf8.count + 10) % 64) + "\n"
    return Data([0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count & 255), UInt8(header.utf8.count >> 8)]) + Data(header.utf8)
        + Data(bytes)
}
