public import ArgumentParser
import Foundation
import SpikeFiles
public import Spikelet

/// Where data comes from and how it is read; shared by the commands that take DATA.
struct DataOptions: ParsableArguments {
    @Option(help: "Which part of a folder of IDX files: train or test.")
    var split: Dataset.Split?

    @Option(help: ArgumentHelp("Subtracted from each channel after scaling to 0…1.", valueName: "m1,m2,…"))
    var mean: String?

    @Option(help: ArgumentHelp("Each channel is divided by this after subtracting the mean.", valueName: "s1,s2,…"))
    var std: String?

    @Option(help: "Samples per batch. The rate-coding recipe's moving average of thresholds depends on it.")
    var batchSize = 100

    @Option(help: "Use only the first so many samples.")
    var limit: Int?

    /// The data at `path`, in batches.
    func loader(_ path: String) throws -> DataLoader {
        let normalization: Normalization? =
            switch (mean, std) {
            case (nil, nil): nil
            case (let mean?, let std?): try Normalization(mean: numbers(mean, "--mean"), standardDeviation: numbers(std, "--std"))
            default:
                throw SpikeletError(
                    .invalidOption, "only one of --mean and --std is given", remedy: "give both, one number for each channel")
            }
        return try DataLoader(Dataset(path: path, split: split, normalization: normalization), batchSize: batchSize, limit: limit)
    }
}

extension Dataset.Split: ExpressibleByArgument {}
extension Converter.Pooling: ExpressibleByArgument {}

/// Comma-separated numbers.
private func numbers(_ text: String, _ option: String) throws -> [Float] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
        guard let number = Float(part.trimmingCharacters(in: .whitespaces)) else {
            throw SpikeletError(
                .invalidOption, "'\(part)' in \(option) is not a number",
                remedy: "write numbers with commas between them, such as 0.485,0.456,0.406")
        }
        return number
    }
}

/// Comma-separated numbers of time steps.
func stepList(_ text: String) throws -> [Int] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
        guard let steps = Int(part.trimmingCharacters(in: .whitespaces)) else {
            throw SpikeletError(
                .invalidOption, "'\(part)' in --steps is not a number",
                remedy: "write whole numbers with commas between them, such as 1,2,4,8,16,32")
        }
        return steps
    }
}

/// An `.npy` file as a network's input: bytes become 0…1 by 1/255, other numbers float32.
func readInput(_ path: String) throws -> Tensor {
    let array = try NPY.read(path)
    let values = array.floats()
    return Tensor(array.elementType == .uint8 ? values.map { $0 / 255 } : values, shape: array.shape)
}

/// Reads a network: a spiking one from its safetensors file, anything else as ONNX.
func readGraph(_ path: String) throws -> Graph {
    path.hasSuffix(".safetensors") ? try SNNFile.read(path) : try ONNXImporter.importModel(at: path).graph
}

/// Writes to standard error what a person should know and a program need not.
func note(_ text: String) {
    FileHandle.standardError.write(Data((text + "\n").utf8))
}

/// Writes a result as JSON, to a file or (`-`) to standard output.
func writeJSON(_ value: some Encodable, to path: String) throws {
    let bytes = try JSON.encode(value, isPretty: true) + [UInt8(ascii: "\n")]
    if path == "-" {
        FileHandle.standardOutput.write(Data(bytes))
    } else {
        try AtomicFile.write(to: path) { try $0.write(bytes) }
    }
}
