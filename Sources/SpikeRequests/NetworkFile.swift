import Foundation
import SpikeFormats
package import SpikeGraph
package import SpikeONNX
import SpikeOpenAxes

/// Reads the networks that a user names. What a file holds is judged by its first bytes, since a wrong guess makes a
/// misleading message.
package enum NetworkFile {
    /// Whether a file begins as safetensors do: with the length of a JSON text in 8 bytes, then the text.
    package static func isSafetensors(_ path: String) -> Bool {
        guard isRegular(path), let file = FileHandle(forReadingAtPath: path) else { return false }
        defer { try? file.close() }
        guard let head = try? file.read(upToCount: 9), head.count == 9 else { return false }
        // No header comes near 4 GiB, and no ONNX file has these zeros.
        return head[4..<8].allSatisfy { $0 == 0 } && head[8] == UInt8(ascii: "{")
    }

    /// Whether a file begins as HDF5 files do, or calls itself a NIR file.
    package static func isNIR(_ path: String) -> Bool {
        if path.lowercased().hasSuffix(".nir") { return true }
        guard isRegular(path), let file = FileHandle(forReadingAtPath: path) else { return false }
        defer { try? file.close() }
        return (try? file.read(upToCount: 8)) == Data([0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A])
    }

    /// The ANN that stands beside a spiking network: it takes the same inputs.
    package static func ann(_ path: String, beside snn: Graph) throws -> Graph {
        try ann(
            path,
            openAxes: OpenAxes(sample: { name, _ in
                snn.inputs.first { $0.name == name }?.type.shape.dimensions.dropFirst().compactMap(\.known)
            })
        ).graph
    }

    package static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
    }

    private static func isRegular(_ path: String) -> Bool {
        let attributes = try? FileManager.default.attributesOfItem(atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
        return attributes?[.type] as? FileAttributeType == .typeRegular
    }

    /// A spiking network from its `.safetensors` file, or from a NIR file.
    ///
    /// - Parameter openAxes: the sizes of axes that it leaves open besides the batch; without them those of its calibration.
    package static func spiking(_ path: String, nir: NIRReading = NIRReading(), openAxes: OpenAxes = .none) throws -> Graph {
        if isNIR(path) { return try nir.network(path) }
        try nir.requireNone(for: path)
        if path.lowercased().hasSuffix(".onnx"), isRegular(path), !isSafetensors(path) {
            throw SpikeletError(
                .invalidData, "this is an ONNX model, not a spiking network", at: path,
                remedy: "convert it first: spikelet convert \(path) --calibration DATA --recipe NAME --output SNN.safetensors")
        }
        let graph = try network(path, openAxes)
        guard graph.spiking != nil else {
            throw SpikeletError(
                .invalidData, "the network '\(graph.name)' in it is not a spiking one", at: path,
                remedy: "make one from an ONNX model with 'spikelet convert'")
        }
        let readout = graph.readoutNodes
        let producers = graph.producers
        // What acts on the accumulated output may make positions of it, or truth values.
        guard
            graph.outputs.allSatisfy({ output in
                graph.types[output.value]?.elementType == .float32 || producers[output.value].map { readout.contains($0.name) } == true
            })
        else {
            throw SpikeletError(
                .unsupported, "an output of the network is not float32", at: path, remedy: "convert a network whose outputs are numbers")
        }
        return graph
    }

    private static func network(_ path: String, _ openAxes: OpenAxes) throws -> Graph {
        let (graph, model) = try SNNFile.contents(of: path)
        guard let model else {
            if let name = openAxes.sizes.keys.min() {
                throw SpikeletError(
                    .invalidOption, "the network leaves no axis '\(name)' open", at: path,
                    remedy: "leave out its size, or convert the model at it: networks of digits alone keep axes open")
            }
            return graph
        }
        do {
            return try OpenNetwork(graph, model: model).graph(at: openAxes)
        } catch let error as SpikeletError {
            throw error.located(path)
        }
    }

    /// An ANN from its `.onnx` file.
    ///
    /// - Parameter openAxes: the sizes that the model leaves open besides the batch.
    package static func ann(_ path: String, openAxes: OpenAxes = .none) throws -> ImportedModel {
        if isSafetensors(path), (try? SNNFile.read(path)) != nil {
            throw SpikeletError(
                .invalidData, "this is a spiking network; an ONNX model is needed here", at: path,
                remedy: "give the ONNX model it was made from; 'spikelet simulate' runs spiking networks")
        }
        if path.lowercased().hasSuffix(".nir") {
            throw SpikeletError(
                .invalidData, "this is a NIR file; an ONNX model is needed here", at: path,
                remedy: "'spikelet simulate' and 'spikelet evaluate' run NIR files")
        }
        return try ONNXImporter.read(path, openAxes: openAxes)
    }
}
