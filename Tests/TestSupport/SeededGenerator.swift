import SpikeData

/// The same numbers in every run and on every machine, so that a failure can be seen again.
package struct SeededGenerator: RandomNumberGenerator {
    private var generator: SplitMix64

    package init(_ seed: UInt64) { generator = SplitMix64(seed: seed) }

    package mutating func next() -> UInt64 { generator.next() }
}
