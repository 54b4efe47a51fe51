package import SpikeEvaluation
package import SpikeGraph

extension Evaluator {
    /// The numbers of time steps to report.
    ///
    /// - Parameters:
    ///   - asked: what was asked for; without it up to 32, and of time-varying data up to all that they have.
    ///   - frames: how many steps time-varying data have; `nil` for others.
    ///   - name: what the data are called in messages.
    /// - Throws: ``SpikeletError`` (`invalidOption`) for more steps than the data have.
    package static func steps(asked: [Int]?, frames: Int?, of name: String = "data") throws -> [Int] {
        guard let frames else { return asked ?? [1, 2, 4, 8, 16, 32] }
        try SpikeCode.check(steps: [frames])
        guard let asked, let last = asked.max() else { return sequence(first: 1) { $0 * 2 }.prefix { $0 < frames } + [frames] }
        guard last <= frames else {
            throw SpikeletError(
                .invalidOption, "`steps: \(last)` of data with \(frames) time steps", at: name,
                remedy: "each step needs an input of its own: give at most \(frames)")
        }
        return asked
    }
}

extension Graph {
    /// The number of time steps of a simulation.
    ///
    /// - Parameters:
    ///   - asked: what was asked for; without it all that a time-varying input has, else those of the conversion, else 32.
    ///   - frames: how many steps a time-varying input has; `nil` for others.
    package func steps(asked: Int?, frames: Int?) -> Int { asked ?? frames ?? spiking?.steps ?? 32 }
}
