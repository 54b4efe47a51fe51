/// A small random number generator whose numbers are the same on every platform and in every version: orders drawn with
/// it can be reported and repeated.
///
/// Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014; the constants are those of its
/// `mix64` variant 13.
package struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// A generator that gives the same numbers for the same seed, on every platform.
    package init(seed: UInt64) {
        state = seed
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A number of `0 ..< bound`, all equally likely: draws that would favour the small ones are repeated.
    mutating func next(below bound: UInt64) -> UInt64 {
        let unfair = (0 &- bound) % bound
        while true {
            let draw = next()
            if draw >= unfair { return draw % bound }
        }
    }

    /// `0 ..< count` in random order (Fisher and Yates, from the end). The standard library's shuffle is not used because
    /// its order may change from one version to the next.
    ///
    /// - Precondition: `count` is not below 0.
    package mutating func permutation(of count: Int) -> [Int] {
        var order = Array(0..<count)
        for last in stride(from: count - 1, to: 0, by: -1) {
            order.swapAt(last, Int(next(below: UInt64(last) + 1)))
        }
        return order
    }
}
