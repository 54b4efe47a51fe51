import Foundation
package import SpikeGraph
import SpikeReference

/// What calibration data says of a network's activations: for each observed value one histogram a channel, gathered in one
/// pass, in memory that does not grow with the data. Neither the order nor the size of the batches matters, and statistics
/// of parts merge to exactly those of the whole.
///
/// Each value's samples are kept in two halves, so that what is chosen on the one can be tried on the other.
package struct ActivationStatistics: Accumulator, Hashable {
    /// For each value, what was seen of it in either half of the samples.
    private var halves: [String: [LayerActivations]] = [:]
    /// The number of samples seen.
    package private(set) var samples = 0

    /// Statistics of nothing.
    package init() {}

    /// Runs the network over all data and observes `values`, the outputs of ReLUs. ``Progress`` tells how far it has come.
    ///
    /// - Parameters:
    ///   - values: names of values `[N, C, …]` of the graph.
    ///   - signed: those of them that have signs: their magnitudes are observed.
    ///   - channelsLast: those whose channels lie along the last axis, `[N, …, C]`.
    /// - Throws: where the data is empty or does not fit the network, or makes NaN or infinity.
    package init(
        of values: Set<String>, in graph: Graph, data: any BatchSource, signed: Set<String> = [], channelsLast: Set<String> = []
    ) throws {
        let executor = ReferenceExecutor(graph)
        let pieces = graph.piecesOfSamples()
        // An optional closure escapes, so it cannot change self.
        var gathered = self
        try data.forEach("observing activations") { portion in
            _ = try executor.run(portion.batch.inputs) { node, inputs, results in
                for (name, result) in zip(node.outputs, results) where values.contains(name) {
                    do {
                        let isSigned = signed.contains(name)
                        let before = isSigned ? result : inputs.first
                        // Where samples lie last, there are no channels.
                        let hasLast = graph.types[name]?.shape.batchAxis != result.rank - 1
                        guard hasLast, channelsLast.contains(name) || isSigned && result.rank == 2 && pieces[name] ?? 1 > 1 else {
                            try gathered.add(result, to: name, before: before, isSigned: isSigned)
                            continue
                        }
                        func inOrder(_ tensor: Tensor) -> Tensor {
                            tensor.channelsFirst(pieces: pieces[name] ?? 1, samples: portion.batch.count)
                        }
                        try gathered.add(
                            inOrder(result), to: name, before: before.map { $0.shape == result.shape ? inOrder($0) : $0 },
                            isSigned: isSigned)
                    } catch let error as SpikeletError {
                        throw error.located("batch \(portion.number): node '\(node.name)'")
                    }
                }
            }
            gathered.samples += portion.batch.count
        }
        self = gathered
    }

    /// Takes in one batch of one value.
    ///
    /// - Parameters:
    ///   - tensor: `[N, C, …]`, not negative unless `isSigned`.
    ///   - before: what the ReLU made it from, in the same shape: its negative numbers say more than zeros do. Of activations with signs
    ///     themselves.
    package mutating func add(_ tensor: Tensor, to value: String, before: Tensor? = nil, isSigned: Bool = false) throws {
        for tensor in [tensor, before].compactMap({ $0 }) {
            guard let position = tensor.firstNonFinite else { continue }
            throw SpikeletError(
                .invalidData,
                "the activations hold \(tensor.floats[position])"
                    + (tensor.floats[position].isNaN ? " at place \(tensor.place(position)) of the batch" : ""),
                remedy:
                    "look for NaN or infinity in the calibration data, for weights that overflow, and for a softmax whose row is masked "
                    + "whole, with −∞ alone")
        }
        let count = tensor.rank > 1 ? tensor.shape[1] : 1
        let size = tensor.shape.dropFirst(2).reduce(1, *)
        let known = before.flatMap { $0.shape == tensor.shape ? $0.floats : nil }
        let values = tensor.floats
        var halves =
            self.halves.removeValue(forKey: value)
            ?? [LayerActivations](repeating: LayerActivations(channels: count, isSigned: isSigned), count: 2)
        for sample in 0..<tensor.shape[0] {
            let rows = sample * count * size..<(sample + 1) * count * size
            let share = Self.shareOfFirstHalf((known ?? values)[rows])
            for (half, share) in [share, ActivationHistogram.wholeShare - share].enumerated() where share > 0 {
                halves[half].add(values[rows], before: known?[rows], share: share)
            }
        }
        self.halves[value] = halves
    }

    /// How much of a sample belongs to the first half, in parts of `ActivationHistogram.wholeShare`: by what its activations are, since
    /// its place in the data must not matter. One sample in eight belongs to both, so that activations that differ little, as those of
    /// two exports of a network do, come to halves that differ little.
    ///
    /// The projection on a random direction of as many signs, and the length, of the sample's activations are cut into strips; every
    /// second strip is the first half's. Lengths a power of two apart have the same strip.
    private static func shareOfFirstHalf(_ activations: ArraySlice<Float>) -> Int {
        var (projection, squares) = (0.0, 0.0)
        var generator: UInt64 = 0
        var signs: UInt64 = 0
        for (index, value) in activations.enumerated() {
            if index % 64 == 0 {
                // SplitMix64.
                generator &+= 0x9e37_79b9_7f4a_7c15
                signs = (generator ^ generator >> 30) &* 0xbf58_476d_1ce4_e5b9
                signs = (signs ^ signs >> 27) &* 0x94d0_49bb_1331_11eb
                signs ^= signs >> 31
            }
            let value = Double(value)
            projection += signs & 1 == 0 ? value : -value
            squares += value * value
            signs >>= 1
        }
        guard squares > 0 else { return ActivationHistogram.wholeShare }
        let length = squares.squareRoot()
        let strips = Self.strips * (projection / length + log2(length.significand))
        let phase = strips - 2 * (strips / 2).rounded(.down)
        // 1 in the middle of the first half's strips, 0 in that of the second's.
        let share = 0.5 + Self.steepness * (abs(phase - 1) - 0.5)
        return Int((min(1, max(0, share)) * Double(ActivationHistogram.wholeShare)).rounded())
    }

    /// So many strips to a unit of the projection and to a doubling of the length: an even number.
    private static let strips = 16.0
    /// A sample belongs to one half wholly but where this times its distance from the border between them is less than ½ strip.
    private static let steepness = 8.0

    /// Takes in all that other statistics have seen.
    package mutating func merge(_ later: ActivationStatistics) {
        samples += later.samples
        halves.merge(later.halves) { mine, theirs in zip(mine, theirs).map { $0.merging($1) } }
    }

    /// What was seen of a value; nothing where it was not observed.
    package func activations(of value: String) -> LayerActivations {
        halves(of: value).reduce(LayerActivations(channels: 0)) { $0.merging($1) }
    }

    /// The same in two halves.
    package func halves(of value: String) -> [LayerActivations] { halves[value] ?? [] }
}

extension Tensor {
    /// `[N, …, C]`, or `pieces` of each sample one behind the other, `[pieces, N, …, C]`, as `[N, C, places]`.
    fileprivate func channelsFirst(pieces: Int, samples: Int) -> Tensor {
        let channels = shape[rank - 1]
        let within = count / max(1, samples * channels * pieces)
        let places = pieces * within
        var moved = [Float](repeating: 0, count: count)
        withFloats { values in
            for sample in 0..<samples {
                for place in 0..<places {
                    let row = (place / within * samples + sample) * within + place % within
                    let start = row * channels
                    for channel in 0..<channels { moved[(sample * channels + channel) * places + place] = values[start + channel] }
                }
            }
        }
        return Tensor(moved, shape: [samples, channels, places])
    }
}
