import Foundation
import SpikeData
import SpikeGraph
import SpikeONNX

/// The bundled networks and images.
enum Bundled {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Models/FashionMNIST")

    static func network(_ path: String) throws -> Graph {
        try ONNXImporter.read(root.appendingPathComponent(path).path).graph
    }

    static func cnn() throws -> Graph { try network("cnn/cnn_torchscript.onnx") }

    /// The first training images.
    static func training(_ count: Int, batchSize: Int = 100) throws -> DataLoader {
        try DataLoader(Dataset(path: root.appendingPathComponent("train_2000.npz").path), batchSize: batchSize, limit: count)
    }

    /// The same as batches, with what `change` makes of their labels.
    static func training(_ count: Int, labels change: ([Int]) -> [Int]?) throws -> [Batch] {
        var pass = try training(count).makePass()
        var batches: [Batch] = []
        while let batch = try pass.next() { batches.append(Batch(inputs: batch.inputs, labels: batch.labels.flatMap(change))) }
        return batches
    }
}

/// Two convolutions with a residual add, max pooling, a concatenation of two branches, a ReLU with a bound, and one that
/// reads another.
func branchingNetwork(_ random: inout SplitMix64) throws -> Graph {
    func weights(_ shape: [Int]) -> Tensor {
        Tensor((0..<shape.reduce(1, *)).map { _ in Float(Int.random(in: -6...8, using: &random)) / 16 }, shape: shape)
    }
    let window = Window(kernel: [3, 3], padsBegin: [1, 1], padsEnd: [1, 1])
    return try Graph(
        name: "branching", inputs: [.init("input", ValueType(.float32, [.batch, 2, 6, 6]))], outputs: [.init("logits", value: "linear")],
        nodes: [
            Node("conv1", .conv(Conv(window: window)), inputs: ["input", "w1", "b1"]),
            Node("relu1", .relu(Relu()), inputs: ["conv1"]),
            Node("conv2", .conv(Conv(window: window)), inputs: ["relu1", "w2", "b2"]),
            Node("sum", .add(Add()), inputs: ["conv2", "relu1"]),
            Node("relu2", .clip(Clip(minimum: 0, maximum: 2)), inputs: ["sum"]),
            Node("relu3", .relu(Relu()), inputs: ["relu2"]),
            Node("pool", .maxPool(MaxPool(window: Window(kernel: [2, 2], strides: [2, 2]))), inputs: ["relu3"]),
            Node("mean", .averagePool(AveragePool(window: Window(kernel: [2, 2], strides: [2, 2]))), inputs: ["relu1"]),
            Node("both", .concat(Concat(axis: 1)), inputs: ["pool", "mean"]),
            Node("conv3", .conv(Conv(window: window)), inputs: ["both", "w3", "b3"]),
            Node("relu4", .relu(Relu()), inputs: ["conv3"]),
            Node("flatten", .flatten(Flatten()), inputs: ["relu4"]),
            Node("linear", .gemm(Gemm(transposeB: true)), inputs: ["flatten", "w4", "b4"]),
        ],
        constants: [
            "w1": weights([4, 2, 3, 3]), "b1": weights([4]), "w2": weights([4, 4, 3, 3]), "b2": weights([4]),
            "w3": weights([5, 8, 3, 3]), "b3": weights([5]), "w4": weights([3, 45]), "b4": weights([3]),
        ])
}

extension SplitMix64 {
    mutating func images(_ count: Int) -> Tensor {
        Tensor((0..<count * 72).map { _ in Float.random(in: 0...1, using: &self) }, shape: [count, 2, 6, 6])
    }
}
