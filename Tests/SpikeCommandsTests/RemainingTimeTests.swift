import SpikeCommands
import Testing

/// The time that a progress bar says is left.
@Suite struct RemainingTimeTests {
    @Test func `a progress line shows share and time left`() {
        let line = ProgressBar.line(title: "calibrating", unit: "batches", completed: 1500, total: 3000, left: 60)
        #expect(line == "calibrating  1,500/3,000 batches  ████████████············  60 s left")
        #expect(ProgressBar.line(title: "t", unit: "u", completed: 5, total: nil, left: nil) == "t  5 u")
        #expect(ProgressBar.line(title: "t", unit: "u", completed: 9, total: 3, left: 0).contains("0 s left"))
    }

    /// The estimates from half-way on, each over the true rest.
    private func ratios(_ durations: [Double]) -> [Double] {
        var estimator = RemainingTime()
        let whole = durations.reduce(0, +)
        var (seconds, ratios): (Double, [Double]) = (0, [])
        for (index, duration) in durations.enumerated() {
            seconds += duration
            estimator.note(index + 1, at: seconds)
            guard 2 * (index + 1) >= durations.count, index + 1 < durations.count else { continue }
            ratios.append((estimator.seconds(for: durations.count - index - 1) ?? 0) / (whole - seconds))
        }
        return ratios
    }

    @Test func `steady work is estimated exactly`() {
        #expect(ratios([Double](repeating: 0.25, count: 100)).allSatisfy { abs($0 - 1) < 1e-9 })
        // More units than marks are kept.
        #expect(ratios([Double](repeating: 0.25, count: 5000)).allSatisfy { abs($0 - 1) < 0.02 })
    }

    @Test(arguments: [2.0, 10, 100]) func `a slow beginning is forgotten half-way`(slow: Double) {
        #expect(ratios([slow] + [Double](repeating: 0.1, count: 99)).allSatisfy { abs($0 - 1) < 1e-6 })
    }

    @Test func `bursts of two threads do not matter`() {
        // The last five units hold two or three long ones: nothing in between can be right to a fifth.
        #expect(ratios((0..<100).map { $0 % 2 == 0 ? 0.4 : 0.001 }).dropLast(5).allSatisfy { abs($0 - 1) < 0.2 })
    }

    @Test func `nothing done, nothing said`() {
        var estimator = RemainingTime()
        #expect(estimator.seconds(for: 10) == nil)
        estimator.note(0, at: 3)
        #expect(estimator.seconds(for: 10) == nil)
        // The clock begins with the work.
        estimator.note(1, at: 4)
        #expect(estimator.seconds(for: 10) == 10)
        #expect(estimator.seconds(for: -1) == 0)
    }
}
