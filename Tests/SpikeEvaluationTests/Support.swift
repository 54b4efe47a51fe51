import SpikeGraph
import Testing

/// A small generator with a fixed seed (SplitMix64), so that a failure can be seen again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func tensor(_ shape: [Int], in range: ClosedRange<Float> = -1...1) -> Tensor {
        Tensor((0..<shape.reduce(1, *)).map { _ in Float.random(in: range, using: &self) }, shape: shape)
    }

    /// Numbers of which about every third is 0.
    mutating func sparse(_ shape: [Int]) -> Tensor {
        Tensor(
            (0..<shape.reduce(1, *)).map { _ in Int.random(in: 0..<3, using: &self) == 0 ? 0 : Float.random(in: -1...1, using: &self) },
            shape: shape)
    }

    /// Zeros and ones, and here and there another number, as pooled or signed spikes are.
    mutating func spikes(_ shape: [Int]) -> Tensor {
        let values: [Float] = [0, 0, 0, 0, 1, 1, -1, 0.25]
        return Tensor((0..<shape.reduce(1, *)).map { _ in values.randomElement(using: &self) ?? 0 }, shape: shape)
    }
}

/// Expects a ``SpikeletError`` with a remedy, whose text has all the parts.
func expectError(_ parts: String..., at location: SourceLocation = #_sourceLocation, from body: () throws -> Void) {
    do {
        try body()
        Issue.record("no error was thrown", sourceLocation: location)
    } catch let error as SpikeletError {
        #expect(error.remedy?.isEmpty == false, "no remedy: \(error)", sourceLocation: location)
        for part in parts { #expect(error.description.contains(part), "'\(part)' is not in: \(error)", sourceLocation: location) }
    } catch {
        Issue.record("another error than SpikeletError: \(error)", sourceLocation: location)
    }
}

/// Samples `[N, …]` and their labels in batches of `size`.
func batches(_ inputs: Tensor, _ labels: [Int]?, size: Int) -> [Batch] {
    stride(from: 0, to: inputs.shape[0], by: size).map { start in
        let range = start..<min(start + size, inputs.shape[0])
        return Batch(inputs.samples(range), labels: labels.map { Array($0[range]) })
    }
}

/// A float32 tensor, where a literal alone could be of any element type.
func tensor(_ values: [Float], _ shape: [Int]) -> Tensor { Tensor(values, shape: shape) }
