import SpikeGraph
import SpikeReference
import TestSupport
import Testing

extension Tensor {
    /// Whole numbers −4…4: small sums of products of these are exact in float32, so that results can be compared bit for
    /// bit in whatever order they were added.
    static func whole(_ shape: [Int], in range: ClosedRange<Int> = -4...4, _ generator: inout SeededGenerator) -> Tensor {
        Tensor((0..<shape.reduce(1, *)).map { _ in Float(Int.random(in: range, using: &generator)) }, shape: shape)
    }

    static func uniform(_ shape: [Int], in range: ClosedRange<Float> = -1...1, _ generator: inout SeededGenerator) -> Tensor {
        Tensor((0..<shape.reduce(1, *)).map { _ in Float.random(in: range, using: &generator) }, shape: shape)
    }

    /// The element at these coordinates.
    subscript(_ coordinates: [Int]) -> Float {
        var flat = 0
        for (coordinate, size) in zip(coordinates, shape) { flat = flat * size + coordinate }
        return floats[flat]
    }

    /// A tensor made element by element.
    static func made(_ shape: [Int], _ element: ([Int]) -> Float) -> Tensor {
        var values: [Float] = []
        forEachCoordinate(shape) { values.append(element($0)) }
        return Tensor(values, shape: shape)
    }

    /// The largest difference, relative to the largest number.
    func difference(from other: Tensor) -> Float {
        guard shape == other.shape else { return .infinity }
        let scale = max(1e-30, floats.map(abs).max() ?? 1)
        return (zip(floats, other.floats).map { abs($0 - $1) }.max() ?? 0) / scale
    }
}

/// All coordinates of a shape, the last axis fastest.
func forEachCoordinate(_ shape: [Int], _ body: ([Int]) -> Void) {
    guard !shape.contains(0) else { return }
    var coordinates = shape.map { _ in 0 }
    while true {
        body(coordinates)
        var axis = shape.count - 1
        while axis >= 0, coordinates[axis] == shape[axis] - 1 {
            coordinates[axis] = 0
            axis -= 1
        }
        guard axis >= 0 else { return }
        coordinates[axis] += 1
    }
}

/// One operator over tensors, in a graph of its own, so that shape rule and kernel are both asked: the result has the type
/// that the rule promised.
func run(_ operator: SpikeGraph.Operator, _ inputs: [Tensor], at location: SourceLocation = #_sourceLocation) throws -> Tensor {
    let names = inputs.indices.map { "in\($0)" }
    let graph = try Graph(
        name: "one", inputs: [Graph.Input("in0", ValueType(inputs[0]))], outputs: [Graph.Output("y", value: "node")],
        nodes: [Node("node", `operator`, inputs: names)],
        constants: Dictionary(uniqueKeysWithValues: zip(names, inputs).dropFirst().map { ($0, $1) }))
    let result = try ReferenceExecutor(graph).run([inputs[0]])[0]
    #expect(graph.types["node"] == ValueType(result), sourceLocation: location)
    return result
}

/// A window as a test draws it, and what follows from it, worked out without ``Window/placement(over:)``.
struct RandomWindow {
    var window: Window
    var begin: [Int]
    var output: [Int]

    /// - Parameter pool: whether to draw ceil mode too, and pads smaller than the kernel.
    init?(over input: [Int], pool: Bool, _ generator: inout SeededGenerator) {
        func numbers(_ range: ClosedRange<Int>) -> [Int] { input.map { _ in Int.random(in: range, using: &generator) } }
        let (kernel, strides, dilations) = (numbers(1...3), numbers(1...3), numbers(1...2))
        let autoPad: Window.AutoPad =
            [.notSet, .notSet, .notSet, .sameUpper, .sameLower, .valid].randomElement(using: &generator) ?? .notSet
        let ceil = pool && Bool.random(using: &generator)
        var pads = (begin: numbers(0...2), end: numbers(0...2))
        if pool { pads = (zip(pads.begin, kernel).map { min($0, $1 - 1) }, zip(pads.end, kernel).map { min($0, $1 - 1) }) }
        window = Window(
            kernel: kernel, strides: strides, dilations: dilations, padsBegin: pads.begin, padsEnd: pads.end, autoPad: autoPad,
            ceilMode: ceil)
        begin = []
        output = []
        for (axis, size) in input.enumerated() {
            let (stride, extent) = (strides[axis], (kernel[axis] - 1) * dilations[axis] + 1)
            switch autoPad {
            case .sameUpper, .sameLower:
                let positions = (size + stride - 1) / stride
                let total = max(0, (positions - 1) * stride + extent - size)
                begin.append(autoPad == .sameUpper ? total / 2 : (total + 1) / 2)
                output.append(positions)
                window.padsEnd[axis] = total - begin[axis]
            case .valid, .notSet:
                if autoPad == .valid { (pads.begin[axis], pads.end[axis]) = (0, 0) }
                let room = size + pads.begin[axis] + pads.end[axis] - extent
                guard room >= 0 else { return nil }
                begin.append(pads.begin[axis])
                var positions = (ceil ? (room + stride - 1) / stride : room / stride) + 1
                if ceil, (positions - 1) * stride >= size + pads.begin[axis] { positions -= 1 }
                output.append(positions)
                window.padsEnd[axis] = pads.end[axis]
            }
        }
    }

    /// The input coordinates of a window's places, with those outside the input.
    func places(at position: [Int]) -> [[Int]] {
        var places: [[Int]] = []
        forEachCoordinate(window.kernel) { place in
            places.append(place.indices.map { position[$0] * window.strides[$0] + place[$0] * window.dilations[$0] - begin[$0] })
        }
        return places
    }
}

func isInside(_ place: [Int], _ size: [Int]) -> Bool { zip(place, size).allSatisfy { (0..<$1).contains($0) } }
