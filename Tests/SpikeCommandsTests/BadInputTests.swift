import Foundation
import SpikeData
import SpikeGraph
import Testing

@Suite struct BadInputTests {
    /// A command line, and what its message has to say.
    struct Case: CustomTestStringConvertible, Sendable {
        var arguments: [String]
        var parts: [String]

        /// - Parameter line: arguments with spaces between them; `''` is an empty one.
        init(_ line: String, _ parts: String...) {
            arguments = line.split(separator: " ").map { $0 == "''" ? "" : String($0) }
            self.parts = parts
        }

        var testDescription: String { arguments.map { $0.isEmpty ? "''" : $0 }.joined(separator: " ") }
    }

    /// Good files, and bad ones of every kind.
    private static func prepare() async throws -> Folder {
        let folder = try Folder()
        try await folder.makeNetwork()
        let model = try Data(contentsOf: URL(fileURLWithPath: Repository.tiny))
        try folder.write(model, "tiny.onnx")
        try folder.write(model.prefix(model.count / 2), "truncated.onnx")
        try folder.write(Data("hello, world\n".utf8), "text.onnx")
        try folder.write(Data(), "empty.onnx")
        // Its weights lie in another file, which is not copied.
        try folder.write(Data(contentsOf: URL(fileURLWithPath: Repository.model("mobile/mobile_dynamo.onnx"))), "external.onnx")
        try folder.write(Models.chain(["Gemm", "Bernoulli", "Gemm", "Det", "Bernoulli", "Col2Im"]), "unsupported.onnx")
        try folder.write(Models.chain(["Gemm", "Gemm"]), "linear.onnx")
        let snn = try folder.data("snn.safetensors")
        try folder.write(snn.prefix(snn.count / 2), "truncated.safetensors")

        try NPY.write(Tensor(repeating: 0.5, shape: [2, 1, 8, 7]), to: folder.file("wide.npy"))
        try NPY.write(Tensor(repeating: 0.5, shape: [2, 64]), to: folder.file("flat.npy"))
        try NPY.write(Tensor(repeating: 0.5, shape: [0, 1, 8, 8]), to: folder.file("none.npy"))
        try NPY.write(Tensor(scalar: 1), to: folder.file("scalar.npy"))
        var values = [Float](repeating: 0.5, count: 128)
        values[100] = .nan
        try NPY.write(Tensor(values, shape: [2, 1, 8, 8]), to: folder.file("nan.npy"))
        try folder.write(npy("<c8", [1, 1, 8, 8], [UInt8](repeating: 0, count: 512)), "complex.npy")
        try folder.write(npy("<f4", [9, 1, 8, 8], [UInt8](repeating: 0, count: 100)), "short.npy")
        let images = try folder.tensor("images.npy")
        try NPZ.write([("pictures", images)], to: folder.file("unnamed.npz"))
        try NPZ.write([("x", images), ("y", Tensor((0..<24).map { Int64($0 % 3 + 1) }, shape: [24]))], to: folder.file("from1.npz"))
        try NPZ.write([("x", images), ("y", Tensor([0, 1] as [Int64], shape: [2]))], to: folder.file("fewlabels.npz"))
        try NPZ.write([("x", images.samples(0..<0)), ("y", Tensor([Int64](), shape: [0]))], to: folder.file("none.npz"))
        try FileManager.default.createDirectory(atPath: folder.file("folder"), withIntermediateDirectories: true)
        return folder
    }

    private static func expect(_ cases: [Case]) async throws {
        let folder = try await prepare()
        let before = folder.contents
        for test in cases {
            let run = try await Program.run(test.arguments, in: folder.path)
            #expect(run.status == 1, "\(test.testDescription)\n\(run.errors)")
            #expect(run.output.isEmpty, "\(test.testDescription)\n\(run.output)")
            #expect(run.errors.hasPrefix("Error: ") && run.errors.contains("\n  → "), "\(test.testDescription)\n\(run.errors)")
            #expect(!run.errors.contains("NSError") && !run.errors.contains("Domain"), "\(run.errors)")
            for part in test.parts {
                #expect(run.errors.contains(part), "'\(part)' is not in the message of \(test.testDescription)\n\(run.errors)")
            }
            #expect(folder.contents == before, "\(test.testDescription) left something behind")
        }
    }

    @Test func `models that are none`() async throws {
        try await Self.expect([
            Case("inspect truncated.onnx", "truncated.onnx: ", "ends in the middle", "sizes"),
            Case("inspect text.onnx", "text.onnx: ", "not an ONNX model", "torch.onnx.export"),
            Case("inspect empty.onnx", "empty.onnx: the file is empty"),
            Case("inspect missing.onnx", "missing.onnx: cannot read: it, or a folder on the way to it, does not exist"),
            Case("inspect folder", "folder: cannot read: it is a folder"),
            Case("inspect ''", "name of the model's file is empty"),
            Case("inspect images.npy", "images.npy: ", "NumPy array"),
            Case("inspect external.onnx", "external.onnx: ", "mobile_dynamo.onnx.data", "is missing", "copy that file"),
            Case("inspect truncated.safetensors", "truncated.safetensors: "),
            Case("run truncated.onnx --input images.npy --output y.npy", "truncated.onnx: "),
            Case("convert external.onnx --calibration data.npz --recipe radix --output new.safetensors", "external.onnx: "),
            Case("evaluate snn.safetensors --data data.npz --ann text.onnx", "text.onnx: "),
        ])
    }

    @Test func `operators that are not supported are listed, all of them`() async throws {
        try await Self.expect([
            Case(
                "inspect unsupported.onnx", "unsupported.onnx: 4 nodes", "Bernoulli, opset 20: 2 nodes: bernoulli1, bernoulli4",
                "Det, opset 20: 1 node: det3", "Col2Im, opset 20: 1 node: col2im5", "Documentation/Operators.md"),
            Case(
                "convert linear.onnx --calibration flat.npy --recipe signed --output new.safetensors", "no ReLU",
                "use the recipe radix", "train the network with ReLU"),
        ])
    }

    @Test func `networks of the wrong kind`() async throws {
        try await Self.expect([
            Case("run snn.safetensors --input images.npy", "snn.safetensors: this is a spiking network", "simulate"),
            Case(
                "convert snn.safetensors --calibration data.npz --recipe radix --output new.safetensors",
                "Error: snn.safetensors: this is a spiking network"),
            Case("evaluate snn.safetensors --data data.npz --ann snn.safetensors", "snn.safetensors: this is a spiking network"),
            Case("simulate tiny.onnx --input images.npy", "tiny.onnx: this is an ONNX model", "spikelet convert tiny.onnx"),
            Case("evaluate tiny.onnx --data data.npz", "tiny.onnx: this is an ONNX model", "spikelet convert tiny.onnx"),
            Case("benchmark tiny.onnx --input images.npy", "tiny.onnx: this is an ONNX model", "spikelet convert tiny.onnx"),
            Case("benchmark snn.safetensors --input wide.npy", "wide.npy: ", "float32[2, 1, 8, 7]"),
            Case("benchmark snn.safetensors --input none.npy", "none.npy: ", "holds no samples"),
            Case("benchmark snn.safetensors --input nan.npy", "nan.npy: ", "holds nan in sample 1"),
            Case("inspect tiny.onnx --program", "tiny.onnx: --program shows", "spikelet convert"),
            Case("simulate images.npy --input images.npy", "images.npy: ", "not a safetensors file"),
            Case("simulate missing.safetensors --input images.npy", "missing.safetensors: "),
        ])
    }

    @Test func `inputs that do not fit`() async throws {
        for command in ["run tiny.onnx", "simulate snn.safetensors", "simulate snn.safetensors --reference"] {
            try await Self.expect([
                Case(
                    "\(command) --input wide.npy --output y.npy", "wide.npy: ", "float32[2, 1, 8, 7]", "float32[N, 1, 8, 8]",
                    "N is the number"),
                Case("\(command) --input flat.npy --output y.npy", "flat.npy: ", "float32[2, 64]"),
                Case("\(command) --input none.npy", "none.npy: ", "empty", "at least one sample"),
                Case("\(command) --input scalar.npy", "scalar.npy: ", "single number"),
                Case("\(command) --input nan.npy --output y.npy", "nan.npy: sample 1 holds nan"),
                Case("\(command) --input complex.npy", "complex.npy: ", "complex numbers", "astype('float32')"),
                Case("\(command) --input short.npy", "short.npy: "),
                Case("\(command) --input unnamed.npz", "unnamed.npz: ", "it has no array 'input'"),
                Case("\(command) --input missing.npy", "missing.npy: ", "does not exist"),
                Case("\(command) --input text.onnx", "text.onnx: ", "not an .npy file"),
            ])
        }
    }

    @Test func `data that does not fit`() async throws {
        let convert = "convert tiny.onnx --recipe rate-coding --output new.safetensors --calibration"
        let evaluate = "evaluate snn.safetensors --json result.json --data"
        try await Self.expect([
            Case("\(convert) wide.npy", "wide.npy: ", "float32[2, 1, 8, 7]"), Case("\(convert) nan.npy", "nan.npy: sample 1 holds nan"),
            Case("\(convert) none.npz", "none.npz: ", "empty"), Case("\(convert) unnamed.npz", "unnamed.npz: ", "'pictures'", "images="),
            Case("\(convert) folder", "folder: there is no data"), Case("\(convert) missing.npz", "missing.npz: ", "does not exist"),
            Case("\(convert) tiny.onnx", "tiny.onnx: ", "its kind is not known"),
            Case("\(convert) data.npz --split test", "data.npz: ", "leave --split out"),
            Case("\(convert) data.npz --mean 0.5", "--mean and --std", "give both"),
            Case("\(convert) data.npz --mean 0.5,0.5 --std 1,1", "2 numbers as mean", "1 channel"),
            Case("\(convert) data.npz --mean x --std 1", "'x' in --mean is not a number"),
            Case("\(convert) data.npz --mean 0 --std 0", "above 0"),
            Case("\(convert) data.npz --batch-size 0", "batch size of 0"), Case("\(convert) data.npz --batch-size -3", "batch size of -3"),
            Case("\(convert) data.npz --limit 0", "limit of 0"),
            Case("\(evaluate) unlabelled.npz", "unlabelled.npz: ", "no labels", "--ann"),
            Case("\(evaluate) images.npy", "images.npy: ", "no labels"),
            Case("\(evaluate) from1.npz", "from1.npz: ", "label 3", "classes 0…2", "count the classes from 0"),
            Case("\(evaluate) fewlabels.npz", "fewlabels.npz: 24 samples, but 2 labels"),
            Case("\(evaluate) none.npz", "none.npz: ", "empty"),
            Case("\(evaluate) wide.npy --ann tiny.onnx", "wide.npy: ", "float32[2, 1, 8, 7]"),
            Case("\(evaluate) data.npz --ann linear.onnx", "float32[N, 4]", "3 classes"),
        ])
    }

    @Test func `options out of range`() async throws {
        let convert = "convert tiny.onnx --calibration data.npz --output new.safetensors --recipe"
        let modes = ["150%", "0", "1.5", "''", "abc", "0%", "-0.5", "nan", "%"].map {
            Case("\(convert) rate-coding --mode \($0)", "mode '\($0 == "''" ? "" : $0)'", "use 'max'", "99.9%", "0.5")
        }
        let simulate = "simulate snn.safetensors --input images.npy --output y.npy --steps"
        try await Self.expect(
            modes + [
                Case("\(convert) rate-coding --momentum -0.1", "momentum -0.1 is outside 0…1"),
                Case("\(convert) rate-coding --momentum 2", "momentum 2.0 is outside 0…1"),
                Case("\(convert) rate-coding --steps 0", "--steps 0 is no number of time steps"),
                Case("\(convert) signed --steps -1", "--steps -1"),
                Case("\(convert) radix --steps 40", "radix code of 40 steps"), Case("\(simulate) 0", "--steps 0"),
                Case("\(simulate) -1", "--steps -1"), Case("\(simulate) 99999999", "--steps 99999999"),
                Case("evaluate snn.safetensors --data data.npz --steps 1,0", "'0' in --steps"),
                Case("evaluate snn.safetensors --data data.npz --steps 1,,2", "'' in --steps", "1,2,4"),
                Case("evaluate snn.safetensors --data data.npz --steps abc", "'abc' in --steps"),
                Case("evaluate snn.safetensors --data data.npz --threads 0", "0 threads"),
                Case("evaluate snn.safetensors --data data.npz --exit-confidence 0", "exit confidence of 0.0", "probability"),
                Case("evaluate snn.safetensors --data data.npz --exit-confidence 1.5", "exit confidence of 1.5", "probability"),
                Case("evaluate snn.safetensors --data data.npz --exit-loss -1", "exit loss of -1.0 points"),
                Case("evaluate snn.safetensors --data data.npz --exit-loss nan", "exit loss of nan points"),
                Case("evaluate snn.safetensors --data data.npz --limit 9 --exit-loss 1", "9 samples are too few"),
                Case("benchmark snn.safetensors --input images.npy --steps 0", "--steps 0"),
                Case("benchmark snn.safetensors --input images.npy --batch-size 0", "a batch size of 0"),
                Case("benchmark snn.safetensors --input images.npy --threads 0", "0 threads"),
                Case("benchmark snn.safetensors --input images.npy --runs 0", "0 runs"),
            ])
    }

    @Test func `what a command reads through another file is not written over`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork()
        for name in ["mobile_dynamo.onnx", "mobile_dynamo.onnx.data"] {
            try FileManager.default.copyItem(atPath: Repository.model("mobile/\(name)"), toPath: folder.file(name))
        }
        let weights = try Data(contentsOf: URL(fileURLWithPath: folder.file("mobile_dynamo.onnx.data")))
        let converted = try await folder.spikelet(
            "convert", "mobile_dynamo.onnx", "--calibration", "data.npz", "--output", "mobile_dynamo.onnx.data")
        #expect(converted.status == 1 && converted.errors.contains("it belongs to 'mobile_dynamo.onnx'"), "\(converted)")
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.file("mobile_dynamo.onnx.data"))) == weights)
        // A new file in the folder takes nothing away.
        try FileManager.default.createDirectory(atPath: folder.file("idx"), withIntermediateDirectories: false)
        try folder.write(Data([0]), "idx/t10k-images-idx3-ubyte")
        let evaluated = try await folder.spikelet(
            "evaluate", "snn.safetensors", "--data", "idx", "--json", "idx/t10k-images-idx3-ubyte")
        #expect(evaluated.status == 1 && evaluated.errors.contains("it belongs to 'idx'"), "\(evaluated)")
        let resumed = try await folder.spikelet(
            "evaluate", "snn.safetensors", "--data", "data.npz", "--ann", Repository.tiny, "--outputs", "--json", "r.json", "--resume")
        #expect(resumed.status == 64 && resumed.errors.contains("leave out --resume"), "\(resumed)")
        let sized = try await folder.spikelet("evaluate", "snn.safetensors", "--data", "data.npz", "--batch-size", "0")
        #expect(sized.errors.contains("--batch-size 100") && !sized.errors.contains("`"), "\(sized)")
    }

    @Test func `places that cannot be written to are found before the work`() async throws {
        // The data does not exist either: the output is what the message is about.
        var cases: [Case] = []
        for (command, name) in [
            ("run tiny.onnx --input images.npy --output", "y.npy"), ("simulate snn.safetensors --input images.npy --output", "y.npy"),
            ("simulate snn.safetensors --input images.npy --spike-counts", "y.npz"),
            ("convert tiny.onnx --calibration missing.npz --recipe radix --output", "y.safetensors"),
            ("evaluate snn.safetensors --data missing.npz --json", "y.json"),
            ("benchmark snn.safetensors --input missing.npy --json", "y.json"),
        ] {
            cases.append(Case("\(command) no/\(name)", "no/\(name): ", "/no' does not exist"))
            cases.append(Case("\(command) folder", "folder: this is a folder"))
            cases.append(Case("\(command) tiny.onnx/\(name)", "tiny.onnx/\(name): ", "does not exist"))
            cases.append(Case("\(command) ''", "''"))
            let source = command.contains("tiny.onnx") ? "tiny.onnx" : "snn.safetensors"
            cases.append(Case("\(command) \(source)", "\(source): the command reads"))
        }
        cases.append(
            Case("simulate snn.safetensors --input images.npy --output y.npz --spike-counts y.npz", "y.npz: the command reads or writes"))
        try await Self.expect(cases)
    }

    @Test(.enabled(if: geteuid() != 0, "root may write everywhere")) func `a folder without permission is found before the work`()
        async throws
    {
        let folder = try await Self.prepare()
        try FileManager.default.setAttributes([.posixPermissions: 0o555], ofItemAtPath: folder.file("folder"))
        let run = try await folder.spikelet("run", "tiny.onnx", "--input", "images.npy", "--output", "folder/y.npy")
        #expect(run.status == 1 && run.errors.contains("folder/y.npy: writing here is not permitted"), "\(run.errors)")
    }

    /// A file system that takes no files, for root too.
    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/proc/self"))) func `a place that takes no files is an error`() async throws
    {
        let folder = try await Self.prepare()
        for arguments in [
            ["run", "tiny.onnx", "--input", "images.npy", "--output", "/proc/y"],
            ["simulate", "snn.safetensors", "--input", "images.npy", "--spike-counts", "/proc/y"],
            ["convert", "tiny.onnx", "--calibration", "data.npz", "--recipe", "radix", "--output", "/proc/y"],
            ["evaluate", "snn.safetensors", "--data", "data.npz", "--steps", "1", "--json", "/proc/y"],
        ] {
            let run = try await Program.run(arguments, in: folder.path)
            #expect(run.status == 1, "\(arguments)")
            #expect(run.errors.hasPrefix("Error: /proc/y: ") && run.errors.contains("→") && !run.errors.contains("Domain"), "\(run.errors)")
        }
    }
}
