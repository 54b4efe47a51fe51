import ArgumentParser
import Spikelet

/// How an ONNX model is read; shared by the commands that take one.
struct ModelOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Sizes that the model leaves open besides the batch, by the axes' names or positions: H=320,W=320. Default: those of the data.",
            valueName: "axis=size,…"))
    var openAxes: String?

    /// - Parameter sample: the shape of one sample of an input of the data, where there are any.
    func axes(sample: @escaping (_ input: String, _ position: Int) throws -> [Int]? = { _, _ in nil }) throws -> OpenAxes {
        var sizes: [String: Int] = [:]
        for part in openAxes?.split(separator: ",", omittingEmptySubsequences: false) ?? [] {
            let words = part.split(separator: "=", omittingEmptySubsequences: false)
            guard words.count == 2, !words[0].isEmpty, let size = Int(words[1]), sizes.updateValue(size, forKey: String(words[0])) == nil
            else {
                throw SpikeletError(
                    .invalidOption, "'\(part)' in --open-axes is no axis and its size", remedy: "write each axis once, as in H=320,W=320")
            }
        }
        return try OpenAxes(sizes, sample: sample)
    }
}

extension StoredModel {
    /// A line on what is open, and the sizes in one of the network's graphs.
    func sizes(in snn: Graph) -> String {
        let shapes = snn.inputs.map { "\($0.name) \($0.type.shape)" }.joined(separator: ", ")
        return "open besides the batch: \(openAxes.joined(separator: ", ")); here \(shapes). Data of other sizes are taken too."
    }
}
