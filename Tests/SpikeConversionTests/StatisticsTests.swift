import SpikeConversion
import SpikeGraph
import TestSupport
import Testing

@Suite("Activation statistics")
struct StatisticsTests {
    private func activations(_ random: inout Random, count: Int) -> [Float] {
        (0..<count).map { _ in
            let value = Float.random(in: -1...1, using: &random)
            return max(0, value * value * value * 40)
        }
    }

    @Test func `parts combined give exactly the whole, for any split and any order`() throws {
        var random = Random(50)
        for _ in 0..<50 {
            let values = activations(&random, count: Int.random(in: 1...500, using: &random))
            var whole = ActivationHistogram()
            whole.add(values)
            let shuffled = values.shuffled(using: &random)
            let cut = Int.random(in: 0...values.count, using: &random)
            var (left, right) = (ActivationHistogram(), ActivationHistogram())
            left.add(shuffled[..<cut])
            right.add(shuffled[cut...])
            var merged = right
            merged.merge(left)
            left.merge(right)
            #expect(merged == whole)
            #expect(left == whole)
        }
    }

    @Test func `statistics of a network depend neither on the batches nor on their order`() throws {
        var random = Random(51)
        let ann = try smallNetwork(&random)
        let images = random.tensor([12, 2, 6, 6], in: 0...1)
        let one = try ActivationStatistics(of: ["relu1", "relu2"], in: ann, data: [Batch(images)])
        let small = try ActivationStatistics(
            of: ["relu1", "relu2"], in: ann, data: (0..<12).reversed().map { Batch(images.samples($0..<$0 + 1)) })
        #expect(one == small)
        var merged = try ActivationStatistics(of: ["relu1", "relu2"], in: ann, data: [Batch(images.samples(0..<5))])
        merged.merge(try ActivationStatistics(of: ["relu1", "relu2"], in: ann, data: [Batch(images.samples(5..<12))]))
        #expect(merged == one)
    }

    @Test func `moments, maximum and quantiles are those of the values`() throws {
        var random = Random(52)
        let values = activations(&random, count: 20_000)
        var histogram = ActivationHistogram()
        histogram.add(values)
        let mean = values.reduce(0.0) { $0 + Double($1) } / Double(values.count)
        #expect(abs(histogram.mean - mean) < 1e-6 * mean)
        #expect(histogram.maximum == values.max())
        #expect(histogram.count == values.count)
        let sorted = values.filter { $0 > 0 }.sorted()
        for share in [0.1, 0.5, 0.9, 0.99, 0.999] {
            let exact = sorted[Int(share * Double(sorted.count))]
            #expect(abs(histogram.quantile(share, countingZeros: false) - exact) < 0.05 * exact)
        }
        #expect(histogram.quantile(1, countingZeros: true) <= histogram.maximum)
    }

    @Test(arguments: [1, 3, 8, 15, 32, 255]) func `the least-squares threshold is as good as the best of a fine search over the values`(
        levels: Int
    ) throws {
        var random = Random(53)
        let values = activations(&random, count: 4000)
        var histogram = ActivationHistogram()
        histogram.add(values)
        func error(_ threshold: Float) -> Double {
            let step = threshold / Float(levels)
            return values.reduce(0.0) { sum, value in
                let difference = Double(value - step * min(Float(levels), (value / step + 0.5).rounded(.down)))
                return sum + difference * difference
            }
        }
        let found = error(MeanSquaredErrorEstimator(levels: levels).threshold(histogram))
        let best = (1...400).map { error(histogram.maximum * Float($0) / 400) }.min() ?? 0
        #expect(found <= best * 1.02)
    }
}
