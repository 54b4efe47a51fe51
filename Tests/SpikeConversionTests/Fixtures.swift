import Foundation
import SpikeData
import SpikeGraph
import SpikeONNX
import TestSupport

/// Files that the repository holds.
enum Fixtures {
    static func golden(_ name: String) -> String { Repository.fixture("Golden/\(name)") }

    static func model(_ name: String) -> String { Repository.model("FashionMNIST/\(name)") }

    static func network(_ path: String) throws -> Graph { try ONNXImporter.read(path).graph }
}

extension NPZ {
    func tensor(_ name: String) throws -> Tensor {
        let array = try array(name)
        return Tensor(array.floats(), shape: array.shape)
    }
}

typealias Random = SeededGenerator

extension Random {
    mutating func tensor(_ shape: [Int], in range: ClosedRange<Float> = -1...1) -> Tensor {
        Tensor((0..<shape.reduce(1, *)).map { _ in Float.random(in: range, using: &self) }, shape: shape)
    }

    /// Multiples of 1/16 in a small range: sums of products of them are exact in float32.
    mutating func dyadic(_ shape: [Int], in range: ClosedRange<Int> = -16...16) -> Tensor {
        Tensor((0..<shape.reduce(1, *)).map { _ in Float(Int.random(in: range, using: &self)) / 16 }, shape: shape)
    }
}

/// conv 3×3 → ReLU → max or average pool 2 → conv 3×3 → ReLU → flatten → linear, with weights from `random`.
func smallNetwork(_ random: inout Random, maxPool: Bool = true, dyadic: Bool = false, activation: Operator = .relu(Relu())) throws -> Graph
{
    func weights(_ shape: [Int]) -> Tensor { dyadic ? random.dyadic(shape) : random.tensor(shape, in: -0.4...0.5) }
    let window = Window(kernel: [3, 3], padsBegin: [1, 1], padsEnd: [1, 1])
    let pooling = Window(kernel: [2, 2], strides: [2, 2])
    return try Graph(
        name: "small", inputs: [.init("input", ValueType(.float32, [.batch, 2, 6, 6]))], outputs: [.init("logits", value: "linear")],
        nodes: [
            Node("conv1", .conv(Conv(window: window)), inputs: ["input", "w1", "b1"]),
            Node("relu1", activation, inputs: ["conv1"]),
            Node("pool", maxPool ? .maxPool(MaxPool(window: pooling)) : .averagePool(AveragePool(window: pooling)), inputs: ["relu1"]),
            Node("conv2", .conv(Conv(window: window)), inputs: ["pool", "w2", "b2"]),
            Node("relu2", activation, inputs: ["conv2"]),
            Node("flatten", .flatten(Flatten()), inputs: ["relu2"]),
            Node("linear", .gemm(Gemm(transposeB: true)), inputs: ["flatten", "w3", "b3"]),
        ],
        constants: [
            "w1": weights([4, 2, 3, 3]), "b1": weights([4]), "w2": weights([5, 4, 3, 3]), "b2": weights([5]),
            "w3": weights([3, 45]), "b3": weights([3]),
        ])
}
