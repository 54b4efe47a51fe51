internal import SpikeGraph

/// The sizes that a model leaves open besides the batch: heights, widths, lengths. A spiking network has layers of so many neurons, so
/// that each has to be a number.
///
///     let model = try ONNXImporter.read("detector.onnx", openAxes: OpenAxes(["H": 320, "W": 320]))
public struct OpenAxes {
    /// Sizes by the model's own names of the axes; or, of axes without names, by their position, `2` in `[N, C, 2, 3]`.
    public var sizes: [String: Int]
    /// The shape of one sample of the data that the network is for, `[C, H, W]`, without the batch, of the input of this name and position:
    /// asked for where a size has no name here.
    public var sample: (_ input: String, _ position: Int) throws -> [Int]?

    /// - Throws: ``SpikeletError`` (`invalidOption`) for a size that none can be.
    public init(_ sizes: [String: Int] = [:], sample: @escaping (_ input: String, _ position: Int) throws -> [Int]? = { _, _ in nil })
        throws
    {
        for (name, size) in sizes where !(1...Int(Int32.max)).contains(size) {
            throw SpikeletError(.invalidOption, "the size \(size) of the open axis '\(name)'", remedy: "give a whole number from 1 on")
        }
        self.sizes = sizes
        self.sample = sample
    }

    private init() { (sizes, sample) = ([:], { _, _ in nil }) }

    /// Nothing is known.
    public static var none: OpenAxes { OpenAxes() }

    /// The size of an axis, and whether ``sizes`` say it; `nil` where nothing does.
    func size(_ axis: Int, named name: String, of input: String, at position: Int, rank: Int) throws -> (size: Int, isNamed: Bool)? {
        if let size = sizes[name] ?? sizes["\(axis)"] { return (size, true) }
        guard let sample = try sample(input, position), sample.count == rank - 1 else { return nil }
        guard sample[axis - 1] > 0 else {
            throw SpikeletError(.invalidData, "its axis \(axis) has no places in the data", remedy: "give data of at least one")
        }
        return (sample[axis - 1], false)
    }
}

/// An input's axis that a model leaves open besides the batch, and the size that the network has there.
public struct OpenAxis: Sendable, Hashable, Codable, CustomStringConvertible {
    /// The input's name.
    public var input: String
    /// The axis' position, `2` in `[N, C, 2, 3]`.
    public var axis: Int
    /// The model's own name of the axis, or its position where it has none.
    public var name: String
    /// The size in this network.
    public var size: Int
    /// Whether ``OpenAxes/sizes`` gave it, and not the data.
    package var isNamed: Bool

    public var description: String { "\(name)=\(size)" }
}

/// An input's axes that nothing gives a size.
struct UnknownAxes {
    let input: String
    /// Positions and the model's names, empty where it has none.
    var axes: [(axis: Int, name: String)] = []

    var description: String {
        let list = axes.map { "axis \($0.axis)" + ($0.name.isEmpty ? "" : " ('\($0.name)')") }
        return "- input '\(input)': \(list.joined(separator: " and ")) \(axes.count == 1 ? "is" : "are") open"
    }

    /// What would close them.
    static func remedy(_ inputs: [UnknownAxes]) -> String {
        var names: [String] = []
        for axis in inputs.flatMap(\.axes) {
            let name = axis.name.isEmpty ? "\(axis.axis)" : axis.name
            if !names.contains(name) { names.append(name) }
        }
        return
            "give their sizes: `openAxes: \(names.map { "\($0)=320" }.joined(separator: ","))`, or data of one size; or export with fixed sizes"
    }
}
