import SpikeEvaluation
import Testing

@Suite struct WilsonIntervalTests {
    /// Computed with another implementation of Wilson's formula, z = 1.959964.
    static let known: [(successes: Int, trials: Int, interval: [Double])] = [
        (0, 10, [0, 0.2775327999]), (8, 10, [0.4901624715, 0.9433178485]), (10, 10, [0.7224672001, 1]),
        (81, 263, [0.2552885199, 0.3662095770]), (500, 1000, [0.4690696004, 0.5309303996]), (0, 0, [0, 1]),
    ]

    @Test(arguments: known) func `the interval has its known values`(successes: Int, trials: Int, interval: [Double]) {
        let found = wilsonInterval(successes: successes, trials: trials)
        #expect(zip([found.lowerBound, found.upperBound], interval).allSatisfy { abs($0 - $1) < 1e-9 })
        #expect(found.lowerBound >= 0 && found.upperBound <= 1)
    }
}
