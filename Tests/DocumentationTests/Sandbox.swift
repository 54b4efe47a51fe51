import Foundation
import SpikeData
import SpikeGraph
import TestSupport

/// A folder with the files that the documentation's commands name, small ones of the bundled networks and images:
///
/// | name | what |
/// | --- | --- |
/// | `model.onnx`, `cnn.onnx`, `vgg.onnx`, `resnet.onnx`, `mobile.onnx` | bundled networks; `model.onnx` is the cnn |
/// | `train.npz`, `images.npz` | the first 64 training images, with labels |
/// | `test.npz`, `test_1000.npz` | the first 30 test images, with labels |
/// | `x.npy`, `events.npy` | 4 of them; one of them in each of 32 steps |
/// | `events.npz` | the same 4 in each of 8 steps, cut to 0 and 1, with labels |
/// | `mnist/` | the same images as IDX files |
/// | `snn.safetensors`, `cnn.safetensors`, `vgg.safetensors` | the cnn (signed, T = 8), the same, and the vgg (calibrated, T = 8) |
/// | `radix.safetensors`, `signed.safetensors`, and `.json` | the cnn by these recipes, and their evaluations |
/// | `network.nir` | `snn.safetensors` as NIR |
/// | `Models/` | the repository's folder |
///
/// `spikelet` there is the program that was built with the tests; `spikelet explore` gets its Ctrl-C as soon as it serves,
/// `--port` is any free one, and `--target-drop` asks for 10 points, which so few images can tell from none.
struct Sandbox {
    let folder: TemporaryFolder

    /// What a script left behind.
    struct Run {
        var status: Int32
        var output: String
        var errors: String
    }

    static let program: URL = {
        let bundle = Bundle.allBundles.map(\.bundleURL).first { $0.pathExtension == "xctest" }
        return bundle?.deletingLastPathComponent() ?? Bundle.main.bundleURL
    }()

    /// The files, made once.
    private static let files = Result { () throws -> TemporaryFolder in
        let folder = try TemporaryFolder()
        for name in ["cnn", "vgg", "resnet", "mobile"] {
            try link(Repository.model("FashionMNIST/\(name)/\(name)_torchscript.onnx"), folder.file("\(name).onnx"))
        }
        try link(folder.file("cnn.onnx"), folder.file("model.onnx"))
        try link(Repository.root.appendingPathComponent("Models").path, folder.file("Models"))
        for (source, count, names) in [("train_2000", 64, ["train", "images"]), ("test_1000", 30, ["test", "test_1000"])] {
            let batch = try Dataset(path: Repository.model("FashionMNIST/\(source).npz")).batch(at: Array(0..<count)[...])
            let labels = Tensor((batch.labels ?? []).map { Int64($0) }, shape: [count])
            for name in names { try NPZ.write([("images", batch.inputs[0]), ("labels", labels)], to: folder.file("\(name).npz")) }
            let part = source == "test_1000" ? "t10k" : "train"
            let pixels = batch.inputs[0].floats.map { UInt8(($0 * 255).rounded()) }
            try folder.write(idx([count, 28, 28], pixels), "mnist/\(part)-images-idx3-ubyte")
            try folder.write(idx([count], (batch.labels ?? []).map { UInt8($0) }), "mnist/\(part)-labels-idx1-ubyte")
            guard part == "t10k" else { continue }
            try NPY.write(batch.inputs[0].samples(0..<4), to: folder.file("x.npy"))
            let events = batch.inputs[0].samples(0..<4).map { $0 > 0.5 ? 1 : 0 }
            try NPZ.write(
                [
                    ("images", Tensor.joined([Tensor](repeating: events, count: 8)).reshaped(to: [8, 4, 1, 28, 28])),
                    ("labels", labels.samples(0..<4)),
                ], to: folder.file("events.npz"))
            let one = batch.inputs[0].samples(0..<1)
            try NPY.write(
                Tensor.joined([Tensor](repeating: one, count: 32)).reshaped(to: [32, 1, 1, 28, 28]), to: folder.file("events.npy"))
        }
        let sandbox = Sandbox(folder: folder)
        let made = try sandbox.run(
            """
            spikelet convert cnn.onnx --calibration train.npz --recipe signed --steps 8 --output snn.safetensors
            spikelet convert vgg.onnx --calibration train.npz --recipe calibrated --steps 8 --output vgg.safetensors
            cp snn.safetensors cnn.safetensors
            cp snn.safetensors signed.safetensors
            spikelet convert cnn.onnx --calibration train.npz --recipe radix --steps 4 --output radix.safetensors
            for recipe in radix signed; do
                spikelet evaluate $recipe.safetensors --data test.npz --ann cnn.onnx --steps 8 --json $recipe.json
            done
            spikelet export snn.safetensors --target norse --approximate --output network.nir
            """)
        guard made.status == 0 else { throw SpikeletError(.invalidData, made.errors) }
        return folder
    }

    /// An IDX file of bytes.
    private static func idx(_ shape: [Int], _ values: [UInt8]) -> [UInt8] {
        [0, 0, 8, UInt8(shape.count)] + shape.flatMap { [0, 0, UInt8($0 >> 8), UInt8($0 & 255)] } + values
    }

    private init(folder: TemporaryFolder) {
        self.folder = folder
    }

    /// A folder of its own with all of the files.
    init() throws {
        folder = try TemporaryFolder()
        let source = try Self.files.get()
        for name in source.contents {
            // Commands write over some of them: links would lead to what all share.
            let isWritten = [".safetensors", ".nir", ".npz", ".npy", ".json"].contains { name.hasSuffix($0) }
            let (from, to) = (source.file(name), folder.file(name))
            if isWritten { try FileManager.default.copyItem(atPath: from, toPath: to) } else { try Self.link(from, to) }
        }
    }

    private static func link(_ target: String, _ name: String) throws {
        try FileManager.default.createSymbolicLink(atPath: name, withDestinationPath: target)
    }

    /// Runs a script; the first command that fails ends it.
    func run(_ script: String) throws -> Run {
        let prelude = """
            set -e
            export HOME="$PWD"
            export PATH='\(Self.program.path)':"$PATH"
            spikelet() {
                local arguments=() previous= argument
                for argument; do
                    [ "$previous" != --target-drop ] || argument=10
                    [ "$previous" != --port ] || argument=0
                    arguments+=("$argument")
                    previous=$argument
                done
                set -- "${arguments[@]}"
                if [ "$1" != explore ]; then command spikelet "$@"; return; fi
                # An older address would bring Ctrl-C before it is listened to.
                rm -f address
                command spikelet "$@" >address & local process=$!
                while [ ! -s address ] && kill -0 $process 2>/dev/null; do sleep 0.05; done
                cat address
                kill -INT $process
                wait $process
            }

            """
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = ["-c", prelude + script]
        process.currentDirectoryURL = folder.url
        process.standardInput = FileHandle.nullDevice
        // Files, not pipes: nobody has to read while it runs.
        let capture = try TemporaryFolder()
        for name in ["output", "errors"] { try capture.write([], name) }
        process.standardOutput = try FileHandle(forWritingTo: capture.url.appendingPathComponent("output"))
        process.standardError = try FileHandle(forWritingTo: capture.url.appendingPathComponent("errors"))
        try process.run()
        process.waitUntilExit()
        return Run(
            status: process.terminationStatus, output: String(decoding: try capture.bytes("output"), as: UTF8.self),
            errors: String(decoding: try capture.bytes("errors"), as: UTF8.self))
    }
}
