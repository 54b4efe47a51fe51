import SpikeData
import SpikeGraph

/// The same numbers on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var generator: SplitMix64

    init(_ seed: Int) { generator = SplitMix64(seed: UInt64(bitPattern: Int64(seed)) &* 0x9E37_79B9_7F4A_7C15 &+ 1) }

    mutating func next() -> UInt64 { generator.next() }

    mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    mutating func chance(_ probability: Double) -> Bool { Double.random(in: 0..<1, using: &self) < probability }

    mutating func pick<Element>(_ choices: [Element]) -> Element { choices[int(0...choices.count - 1)] }

    /// Multiples of 2^−bits within ± limit: sums of many of them are exact in float32.
    mutating func dyadic(_ count: Int, bits: Int, limit: Int) -> [Float] {
        let unit = Float(sign: .plus, exponent: -bits, significand: 1)
        return (0..<count).map { _ in Float(int(-limit...limit)) * unit }
    }

    mutating func dyadic(_ shape: [Int], bits: Int, limit: Int) -> Tensor {
        Tensor(dyadic(shape.reduce(1, *), bits: bits, limit: limit), shape: shape)
    }

    mutating func uniform(_ shape: [Int], _ range: ClosedRange<Float>) -> Tensor {
        Tensor((0..<shape.reduce(1, *)).map { _ in Float.random(in: range, using: &self) }, shape: shape)
    }
}
